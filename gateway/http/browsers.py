"""Who asks: somebody with a browser, or a program."""

from starlette.requests import Request


def wants_page(request: Request) -> bool:
    """Whether it is a browser that goes somewhere: programs ask for JSON, or for anything."""
    return request.method in ("GET", "HEAD") and "text/html" in request.headers.get("accept", "")
