"""The report: one HTML page that says what happened in a capture, with everything that it needs in itself.

`page` puts the page together out of `sections` (what is known of the whole capture) and `connection` (one of its
connections); `packing` makes columns of numbers small; `look` has markup, style and scripts.  The scripts are
JavaScript files beside this one: `unpack` and `graphs` draw, `table` and `page` make the page answer.
"""
