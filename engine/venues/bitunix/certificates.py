"""A venue that cannot prove who it is: told apart from one that is not there."""

import ssl

from engine.venues.errors import CertificateRefused


def refusal(where: str, problem: BaseException) -> CertificateRefused | None:
    """The refusal a failed connection to `where` was, by what is wrong with the certificate; None: another failure."""
    found = getattr(problem, "certificate_error", problem)  # aiohttp carries it along, websockets raises it
    if not isinstance(found, ssl.SSLCertVerificationError):
        return None
    return CertificateRefused(f"{where}: the venue's certificate is refused: {found.verify_message}")
