"""Every failure of the imaging room, as one tree.

ImagingError
├─ ArgumentError          what the person typed; its code is chosen where it is raised
├─ PictureError           the picture is at fault: no retry, no other provider
│  ├─ NotAPicture         these bytes are no picture (state -7)
│  ├─ PictureTooLarge     more pixels or bytes than anyone takes (state -5, HTTP 413)
│  ├─ NoFace              an ID photo needs a face and none was found
│  └─ LinkUnreachable     the provider could not fetch the person's link (state -3)
├─ ProviderError          a provider is at fault
│  ├─ KeyRefused          HTTP 401 or 403: alert the operator, ask the next provider
│  ├─ OutOfCredit         the operator's account there is empty
│  ├─ Busy                HTTP 429; retry_after says when to come back
│  ├─ Unavailable         timeout, reset, HTTP 5xx
│  │  └─ Unsent           refused connection: the request surely did not arrive
│  ├─ BadReply            an answer in the wrong shape: garbage, HTML
│  │  └─ Rejected         the request was refused as wrong (HTTP 400, 404 on a POST, a redirect)
│  ├─ TaskFailed          a negative state that says nothing about the picture
│  ├─ TaskLost            the provider does not know the task (HTTP 404 on a query)
│  ├─ ResultLost          the result expired, was truncated, is too large or is no picture
│  └─ OutcomeUnknown      the paid POST may have been taken
└─ GaveUp                 nothing is left to try; __cause__ is the last ProviderError

`code` is the key of the words people read (`error_<code>` in handlers/locales), `params` what those words mention.
The message is for the operator's log: it never holds a key, a token or a URL.
"""

# ruff: noqa: N818  the names are the words of DESIGN's glossary and say "error" by their base
from __future__ import annotations

from typing import ClassVar


class ImagingError(Exception):
    """The base of the tree."""

    code: ClassVar[str] = "imaging"

    def __init__(self, message: str = "", /, **params: str | int) -> None:
        super().__init__(message or type(self).__name__)
        self.params = params


class ArgumentError(ImagingError):
    """What the person typed cannot be understood; `code` names the words that say why."""

    code: str  # type: ignore[misc]  # the one class whose words differ from case to case

    def __init__(self, code: str, /, **params: str | int) -> None:
        super().__init__(f"{code} {params}", **params)
        self.code = code


class PictureError(ImagingError):
    """The picture is at fault; neither a retry nor another provider would help."""

    code = "picture"


class NotAPicture(PictureError):
    """The bytes are not a picture that can be read."""

    code = "not_a_picture"


class PictureTooLarge(PictureError):
    """The picture has more pixels or bytes than can be worked on; params may name the limit."""

    code = "picture_too_large"


class NoFace(PictureError):
    """No face was found where one is needed."""

    code = "no_face"


class LinkUnreachable(PictureError):
    """The provider could not download the link the person gave."""

    code = "link_unreachable"


class ProviderError(ImagingError):
    """A provider is at fault; another one may do better."""

    code = "provider"


class KeyRefused(ProviderError):
    """The provider refused our key, or its account lacks this service."""

    code = "key_refused"


class OutOfCredit(ProviderError):
    """The operator's account at the provider is empty."""

    code = "out_of_credit"


class Busy(ProviderError):
    """Over the provider's rate limit; `retry_after` is in seconds, None when it did not say."""

    code = "busy"

    def __init__(self, message: str = "", /, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Unavailable(ProviderError):
    """The provider cannot be reached or is broken: refused, timed out, HTTP 5xx."""

    code = "unavailable"


class Unsent(Unavailable):
    """No connection came about, so the request surely had no effect."""


class BadReply(ProviderError):
    """The provider answered something that the contract does not know."""

    code = "bad_reply"


class Rejected(BadReply):
    """The provider says that the request itself is wrong, so it surely had no effect."""


class TaskFailed(ProviderError):
    """The task ended in the negative `state` (API_CONTRACT.md, States)."""

    code = "task_failed"

    def __init__(self, message: str = "", /, *, state: int = -1) -> None:
        super().__init__(message)
        self.state = state


class TaskLost(ProviderError):
    """The provider does not know the task (any more)."""

    code = "task_lost"


class ResultLost(ProviderError):
    """The result cannot be had: expired, truncated, too large or no picture."""

    code = "result_lost"


class OutcomeUnknown(ProviderError):
    """The paid POST may have been taken, but no task_id came back."""

    code = "outcome_unknown"


class GaveUp(ImagingError):
    """Nothing is left to try; `__cause__` is the last ProviderError."""

    code = "gave_up"
