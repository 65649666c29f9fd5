"""Offline evaluation of Dateline: predict, score, compare, report, gate.

Nothing here needs a key, a network or a judge model. `score` reads a stored run and never calls
a model, so any run can be scored again.
"""
