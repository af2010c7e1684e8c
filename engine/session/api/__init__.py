"""The control endpoint: how a desk is stopped from another machine, by signed commands only.

A process of its own, so that a flood of requests takes no turn of the desk's; it speaks to the desk over the control
socket like any other program of the same user. It can only make the desk safer: kill, pause, flatten, and look.
"""
