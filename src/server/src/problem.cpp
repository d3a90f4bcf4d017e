#include "problem.hpp"

#include "json_object.hpp"

namespace weir::server {
namespace {

std::string title_of(std::string_view name) {
    std::string title(name);
    for (auto& c : title) {
        if (c == '-') c = ' ';
    }
    if (!title.empty() && title[0] >= 'a' && title[0] <= 'z') title[0] = static_cast<char>(title[0] - 32);
    return title;
}

} // namespace

Response problem(int status, std::string_view name, std::string_view detail,
                 const std::vector<std::string>& problems) {
    Response response;
    response.status = status;
    response.headers.push_back({"Content-Type", "application/problem+json"});
    JsonObject body;
    body.text("type", "urn:weir:problem:" + std::string(name)).text("title", title_of(name));
    body.number("status", status).text("detail", detail);
    if (!problems.empty()) body.texts("problems", problems);
    response.body = body.end() + "\n";
    if (status == 503) response.headers.push_back({"Retry-After", "1"});
    return response;
}

int status_of(ErrorKind kind) noexcept {
    switch (kind) {
        case ErrorKind::Invalid: return 400;
        case ErrorKind::NotFound: return 404;
        case ErrorKind::Conflict: return 409;
        case ErrorKind::Unavailable: return 503;
        case ErrorKind::Timeout: return 504;
        case ErrorKind::Cancelled: return 503;
        case ErrorKind::Denied: return 403;
        case ErrorKind::Corrupt: return 500;
        case ErrorKind::Unsupported: return 501;
        case ErrorKind::Exhausted: return 422;
        case ErrorKind::Internal: return 500;
    }
    return 500;
}

Response problem(const Error& error) {
    std::string name(to_string(error.kind));
    for (auto& c : name) {
        if (c == '_') c = '-';
    }
    return problem(status_of(error.kind), name, error.message);
}

Response json_response(std::string body, int status) {
    Response response;
    response.status = status;
    response.headers.push_back({"Content-Type", "application/json"});
    response.body = std::move(body);
    return response;
}

Response text_response(std::string body) {
    Response response;
    response.headers.push_back({"Content-Type", "text/plain; charset=utf-8"});
    response.body = std::move(body);
    return response;
}

} // namespace weir::server
