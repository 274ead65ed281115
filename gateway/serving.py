"""How uvicorn serves the gateway. Nothing else is imported here: each serving process begins with this."""

import uvicorn

from gateway.heap import leave_out_extras


class ServingConfig(uvicorn.Config):
    """Leaves out what no serving process needs, before server and application are loaded.

    Of several processes each is started anew and loads the server's protocol first, of its own accord.
    """

    def load(self) -> None:
        leave_out_extras()
        super().load()
