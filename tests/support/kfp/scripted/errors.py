"""What is answered when something is wrong: google.rpc.Status as the gateway writes it."""

import contextlib

STATUS_TYPE = "type.googleapis.com/google.rpc.Status"

INVALID_ARGUMENT, NOT_FOUND, ALREADY_EXISTS, PERMISSION_DENIED, RESOURCE_EXHAUSTED = 3, 5, 6, 7, 8
ABORTED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE, UNAUTHENTICATED = 10, 12, 13, 14, 16

# ABORTED is the server's "bad request": it comes as 409.
HTTP_STATUS = {3: 400, 5: 404, 6: 409, 7: 403, 8: 429, 10: 409, 12: 501, 13: 500, 14: 503, 16: 401}


class ApiError(Exception):
    """An answer that is no success. `detail` None: the gateway's own errors carry no details."""

    def __init__(self, code, message, detail=None):
        super().__init__(message)
        self.code = code
        self.message = message
        self.detail = detail

    @property
    def status(self):
        return HTTP_STATUS[self.code]

    def body(self):
        answer = {"code": self.code, "message": self.message}
        if self.detail is not None:
            answer["details"] = [{"@type": STATUS_TYPE, "code": self.code, "message": self.detail}]
        return answer

    def headers(self):
        return [("Www-Authenticate", self.message)] if self.code == UNAUTHENTICATED else []

    def within(self, text):
        """The same error with a word before it of what was tried."""
        if self.detail is not None:
            self.message = f"{text}: {self.message}"
        return self


class PlainError(Exception):
    """An answer in another shape: the upload routes'."""

    def __init__(self, status, body, content_type):
        super().__init__(str(body))
        self.status = status
        self.body = body
        self.content_type = content_type


class Crash(Exception):
    """The genuine server's process would end here: the connection is closed without an answer."""


def gateway(message, code=INVALID_ARGUMENT):
    """An error found before the request reached the server proper."""
    return ApiError(code, message)


def invalid(detail):
    return ApiError(INVALID_ARGUMENT, f"Invalid input error: {detail}", detail)


def bad_request(detail, cause=""):
    return ApiError(ABORTED, f"BadRequestError: {detail}{': ' + cause if cause else ''}", detail)


def not_found(kind, key):
    detail = f"{kind} {key} not found"
    return ApiError(NOT_FOUND, f"ResourceNotFoundError: {detail}", detail)


def exists(detail):
    return ApiError(ALREADY_EXISTS, f"AlreadyExistError: {detail}", detail)


def internal(message):
    """The truth stands in the outer message only."""
    return ApiError(INTERNAL, f"InternalServerError: {message}", "Internal Server Error")


def unavailable(detail):
    return ApiError(UNAVAILABLE, f"ServiceUnavailable: {detail}", detail)


@contextlib.contextmanager
def within(text):
    """What goes wrong inside says before it what was tried."""
    try:
        yield
    except ApiError as fault:
        fault.within(text)
        raise
