"""Who asks, and what they may: multi-user mode. In single-user mode nobody is asked anything."""

from .errors import PERMISSION_DENIED, UNAUTHENTICATED, ApiError, Crash

GROUP, VERSION = "pipelines.kubeflow.org", "v1beta1"


class Identities:
    """`grants`: user -> namespaces, "*" for all and for reports. `tokens`: bearer token -> user.

    `clients`: who gets tokens of a user, {"client id": {"secret", "user", "expires_in"}} (tokens.py)."""

    def __init__(self, multi_user):
        self.multi_user = multi_user
        self.header = "kubeflow-userid"
        self.prefix = ""
        self.tokens = {"tokSA": "system:serviceaccount:ns1:default", "tokAlice": "alice", "tokBob": "bob"}
        self.clients = {}
        self.grants = {"alice": ["ns1"], "bob": ["ns2"], "admin": ["*"]}
        self.reviews = []  # as SubjectAccessReviews, newest last
        self.crashes = 0

    def user(self, request):
        """ApiError 401; Crash for an empty header, as the genuine server has it."""
        fault = "Unauthenticated: Request header error: there is no user identity header."
        name = request.header(self.header)
        if name is not None:
            if name == "":
                self.crashes += 1
                raise Crash("an empty user header")
            if name.startswith(self.prefix):
                return name[len(self.prefix) :]
        scheme, _, token = (request.header("authorization") or "").partition(" ")
        if scheme.lower() == "bearer" and token:
            if token in self.tokens:
                return self.tokens[token]
            fault += " Authentication failure: Unauthenticated: Review.Status.Authenticated is false."
        text = "Failed to check authorization. User identity is empty in the request header"
        raise ApiError(UNAUTHENTICATED, f"Unauthenticated: {text}: {fault}", text)

    def authorize(self, request, namespace, verb, resource, name=""):
        """ApiError 401 or 403."""
        if not self.multi_user:
            return
        user = self.user(request)
        attributes = {
            "namespace": namespace,
            "verb": verb,
            "group": GROUP,
            "version": VERSION,
            "resource": resource,
            "name": name,
        }
        self.reviews.append(
            {"resourceAttributes": {key: value for key, value in attributes.items() if value}, "user": user}
        )
        del self.reviews[:-10000]
        granted = self.grants.get(user, [])
        if "*" in granted or (namespace and namespace in granted):
            return
        text = (
            f"User '{user}' is not authorized with reason: no grant (request: &ResourceAttributes{{Namespace:{namespace},"
            f"Verb:{verb},Group:{GROUP},Version:{VERSION},Resource:{resource},Subresource:,Name:{name},}})"
        )
        raise ApiError(PERMISSION_DENIED, f"PermissionDenied: {text}: Unauthorized access", text)
