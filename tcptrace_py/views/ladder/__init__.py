"""The ladder of one connection: client left, server right, a rung for each segment, both states as bands beside it.

One layout (`layout.lay_out`: rungs, folds and pauses, as data), three drawings of it: `text.draw` for a terminal,
`svg.picture`, and `html.fragment` or `html.page`.  All say the same, in the words of `words`.
"""
