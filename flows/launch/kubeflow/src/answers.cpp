#include "answers.hpp"

#include <array>

#include <weir/base/text.hpp>

#include "json.hpp"

namespace weir::flows::kubeflow {

namespace {

constexpr std::size_t reason_max = 500;

/// An error as the server or its gateway writes it.
struct Said {
    bool kfp = false;    ///< has a code: the server's process answered
    bool worked = false; ///< has details: it worked on the request
    std::string text;
};

Said read_error(const std::string& body) {
    Said said;
    if (body.empty() || body.find('{') == std::string::npos) return said;
    const auto document = Document::parse(body);
    if (!document.ok()) return said;
    const Element root = document->root();
    const auto code = member(root, "code");
    said.kfp = code && code->is_int64();
    if (!said.kfp) return said;
    const std::string_view outer = text_of(root, "message");
    said.text = outer;
    if (const auto details = list_of(root, "details"))
        for (const Element detail : *details) {
            said.worked = true;
            const auto text = text_of(detail, "message");
            // Where it says only this, the truth stands in the outer message.
            if (!text.empty() && text != "Internal Server Error") said.text = text;
        }
    return said;
}

Kind sort_status(int status, const Said& said) {
    switch (status) {
        case 400:
        case 422: return said.kfp ? Kind::BadRequest : Kind::Strange;
        case 401: return Kind::Unidentified;
        case 403: return said.kfp ? Kind::Forbidden : Kind::Barred;
        case 404: return said.worked ? Kind::Missing : Kind::NoRoute;
        case 405:
        case 501: return Kind::NoRoute;
        case 408: return Kind::Busy;
        case 409: return said.kfp ? Kind::Conflict : Kind::Strange;
        case 413:
        case 414:
        case 431: return Kind::TooLarge;
        case 429: return Kind::Throttled;
        case 500: return said.kfp ? Kind::ServerFault : Kind::Busy;
        default: return status >= 500 ? Kind::Busy : Kind::Strange;
    }
}

std::string_view hint(Kind kind) {
    switch (kind) {
        case Kind::NoRoute: return "; is the backend's url that of a KFP API server?";
        case Kind::Unidentified: return "; the token, user or cookie is not accepted (has it expired?)";
        case Kind::Barred: return "; what stands before the server does not let this identity pass";
        default: return "";
    }
}

bool looks_like_json(const std::string& body) {
    const auto first = body.find_first_not_of(" \t\r\n");
    return first != std::string::npos && body[first] == '{';
}

struct Meaning {
    ReadNext read;
    CreateNext create;
    bool outage;
};

// In the order of Kind.
constexpr std::array<Meaning, 18> meanings{{
    /* Good         */ {ReadNext::Go, CreateNext::Compare, false},
    /* NotKfp       */ {ReadNext::Wait, CreateNext::Unknown, false},
    /* BadRequest   */ {ReadNext::Refuse, CreateNext::Refuse, false},
    /* Unidentified */ {ReadNext::Wait, CreateNext::Wait, false},
    /* Forbidden    */ {ReadNext::Refuse, CreateNext::Refuse, false},
    /* Barred       */ {ReadNext::Wait, CreateNext::Wait, false},
    /* Missing      */ {ReadNext::Missing, CreateNext::Resolve, false},
    /* NoRoute      */ {ReadNext::Wait, CreateNext::Wait, false},
    /* Conflict     */ {ReadNext::Refuse, CreateNext::Refuse, false},
    /* TooLarge     */ {ReadNext::Refuse, CreateNext::Refuse, false},
    /* Throttled    */ {ReadNext::Wait, CreateNext::Unknown, true},
    /* ServerFault  */ {ReadNext::Wait, CreateNext::Unknown, false},
    /* Busy         */ {ReadNext::Wait, CreateNext::Unknown, true},
    /* Strange      */ {ReadNext::Wait, CreateNext::Unknown, false},
    /* NotSent      */ {ReadNext::Wait, CreateNext::Wait, true},
    /* NoAnswer     */ {ReadNext::Wait, CreateNext::Unknown, true},
    /* HeldBack     */ {ReadNext::Wait, CreateNext::Late, false},
    /* Oversize     */ {ReadNext::Wait, CreateNext::Unknown, false},
}};

} // namespace

Answer sort(HttpReply reply, std::string_view what) {
    Answer answer;
    answer.status = reply.status;
    answer.retry_after = reply.retry_after;
    const std::string begin = std::string(what) + ": ";
    if (reply.status == 0) {
        answer.kind = reply.held_back  ? Kind::HeldBack
                      : reply.oversize ? Kind::Oversize
                      : reply.sent     ? Kind::NoAnswer
                                       : Kind::NotSent;
        answer.timed_out = reply.timed_out;
        answer.reason =
            begin + (reply.held_back ? "the deadline had passed" : printable(reply.fault, reason_max));
        return answer;
    }
    const std::string status = std::to_string(reply.status);
    if (reply.status >= 200 && reply.status < 300) {
        if (looks_like_json(reply.body)) {
            answer.kind = Kind::Good;
            answer.body = std::move(reply.body);
            return answer;
        }
        answer.kind = Kind::NotKfp;
        answer.reason = begin + "answered " + status + " with " +
                        (reply.content_type.empty() ? "no content" : printable(reply.content_type, 60)) +
                        ", not with JSON; is it a log-in page, or the wrong url?";
        return answer;
    }
    if (reply.status < 400) {
        answer.kind = Kind::Barred;
        answer.reason = begin + "answered " + status +
                        ", a redirection; an ingress asks for a log-in, or the url is wrong";
        return answer;
    }
    const Said said = read_error(reply.body);
    answer.kind = sort_status(reply.status, said);
    answer.reason = begin + "answered " + status;
    if (!said.text.empty()) answer.reason += ": " + printable(said.text, reason_max);
    answer.reason += hint(answer.kind);
    return answer;
}

ReadNext after_read(Kind kind) noexcept {
    return meanings[static_cast<std::size_t>(kind)].read;
}
CreateNext after_create(Kind kind) noexcept {
    return meanings[static_cast<std::size_t>(kind)].create;
}
bool is_outage(Kind kind) noexcept {
    return meanings[static_cast<std::size_t>(kind)].outage;
}

} // namespace weir::flows::kubeflow
