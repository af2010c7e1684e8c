"""A whole desk and its venue in one process, on virtual time, over a network and a disk that misbehave from a seed.

Everything of the product runs as it is: core, session, store, the adapter with its HTTP client and sockets, and the
built-in venue. What is simulated lies outside: time, the wires between the two, the disk's moods, the operator, and the
death of the process. `python -m tests.simulator --help` runs seeds; one that fails says how to run it again.
"""
