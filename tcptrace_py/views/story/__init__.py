"""The story of a connection in sentences, with its own numbers: wording only, every number is a column of the tables.

`telling` chooses what is said, as `said.Said`: an English message and the values in it.  `language` puts it into words
of a language, from ``locale/LANGUAGE.po`` (another language is another file), and `page` lays the words out.
``scripts/messages.py`` keeps the catalogs complete.
"""
