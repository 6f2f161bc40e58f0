"""The one exception of the sandbox: an answer that is not ok, in the real server's words."""


class Refused(Exception):  # noqa: N818  it is an answer, not a failure of the sandbox
    """An API call is answered with *status* and *description*; *parameters* as in ResponseParameters."""

    def __init__(self, status: int, description: str, **parameters: int) -> None:
        super().__init__(description)
        self.status = status
        self.description = description
        self.parameters = parameters

    def body(self) -> dict[str, object]:
        """Return the JSON object a Bot API server answers with."""
        answer: dict[str, object] = {"ok": False, "error_code": self.status, "description": self.description}
        if self.parameters:
            answer["parameters"] = self.parameters
        return answer


def bad_request(words: str, **parameters: int) -> Refused:
    """Return a 400 whose description is ``Bad Request: <words>``."""
    return Refused(400, f"Bad Request: {words}", **parameters)


def forbidden(words: str) -> Refused:
    """Return a 403 whose description is ``Forbidden: <words>``."""
    return Refused(403, f"Forbidden: {words}")
