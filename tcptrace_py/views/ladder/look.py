"""How the ladder's SVG and HTML look, in light, in dark and on paper: custom properties of the class ``tf-ladder``.

A page that has colours of its own may set the properties (``--tf-paper`` and so on) again.
Okabe and Ito's hues, which every kind of colour blindness tells apart; nothing is said by colour alone.
"""

from __future__ import annotations

import html

from tcptrace_py.tables.safe_text import safe_text

COLOURS = """\
.tf-ladder { color-scheme: light dark; --tf-paper: #fff; --tf-ink: #1f2328; --tf-faint: #59636e; --tf-line: #8c959f;
  --tf-opening: #cde9f9; --tf-open: #c3ecdd; --tf-closing: #fbe3b0; --tf-waiting: #f2d9e6; --tf-none: #e8eaed;
  --tf-info: #59636e; --tf-note: #005f96; --tf-warning: #855700; --tf-error: #a83c00; --tf-right: #00694d; }
@media (prefers-color-scheme: dark) { .tf-ladder { --tf-paper: #14181d; --tf-ink: #e6e8eb; --tf-faint: #a0a8b2;
  --tf-line: #7d8590; --tf-opening: #123f58; --tf-open: #0b4a38; --tf-closing: #574009; --tf-waiting: #552f45;
  --tf-none: #2f353d; --tf-info: #a0a8b2; --tf-note: #6cc0f2; --tf-warning: #f0b429; --tf-error: #ff8a4c;
  --tf-right: #3ccf9f; } }
@media print { .tf-ladder { --tf-paper: #fff; --tf-ink: #000; --tf-faint: #444; --tf-line: #666; --tf-opening: #cde9f9;
  --tf-open: #c3ecdd; --tf-closing: #fbe3b0; --tf-waiting: #f2d9e6; --tf-none: #e8eaed; --tf-info: #444;
  --tf-note: #005f96; --tf-warning: #855700; --tf-error: #a83c00; --tf-right: #00694d;
  print-color-adjust: exact; -webkit-print-color-adjust: exact; } }
"""
MONOSPACE = 'ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, "Liberation Mono", monospace'


def escaped(text: str) -> str:
    """Text from a stranger, fit to stand in HTML or XML, in an attribute as well."""
    return html.escape(safe_text(text))
