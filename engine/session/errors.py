"""What can go wrong around a session, as far as someone has to react differently."""


class SessionError(Exception):
    """Base of everything the session refuses by name; its text is meant for the operator."""
