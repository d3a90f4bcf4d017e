#include <weir/facade/facade.hpp>

#include <algorithm>

#include <weir/base/digest.hpp>
#include <weir/base/log.hpp>
#include <weir/base/text.hpp>

#include "facade_impl.hpp"
#include "messages.hpp"

namespace weir::facade {
namespace {

std::string camel(std::string_view name) {
    std::string out;
    for (std::size_t i = 0; i < name.size(); ++i) {
        if (name[i] == '_' && i + 1 < name.size())
            out += static_cast<char>(name[++i] - 'a' + 'A');
        else
            out += name[i];
    }
    return out;
}

/// The path below the prefix, and the query.
std::pair<std::string_view, std::string_view> parts_of(std::string_view target) {
    target.remove_prefix(std::min(prefix.size(), target.size()));
    const auto question = std::min(target.find('?'), target.size());
    auto path = target.substr(0, question);
    if (path.ends_with('/')) path.remove_suffix(1);
    return {path, target.substr(std::min(question + 1, target.size()))};
}

std::optional<std::string> path_unescape(std::string_view text) {
    // A plus sign is itself in a path.
    std::string spelt;
    for (const char c : text)
        spelt += c == '+' ? std::string("%2B") : std::string(1, c);
    return query_unescape(spelt);
}

Outcome<std::vector<std::pair<std::string, std::string>>> read_query(std::string_view text) {
    std::vector<std::pair<std::string, std::string>> query;
    while (!text.empty()) {
        const auto end = std::min(text.find('&'), text.size());
        const auto pair = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        if (pair.empty()) continue;
        const auto equals = std::min(pair.find('='), pair.size());
        auto name = query_unescape(pair.substr(0, equals));
        auto value = query_unescape(pair.substr(std::min(equals + 1, pair.size())));
        if (!name || !value || !valid_utf8(*name) || !valid_utf8(*value))
            return gateway_fault(Code::Invalid, "invalid URL escape in the query");
        query.emplace_back(std::move(*name), std::move(*value));
    }
    return query;
}

Answer written(const Fault& fault, Style style) {
    Answer answer;
    answer.status = http_status(fault.code);
    if (fault.plain) {
        answer.content_type = "text/plain; charset=utf-8";
        answer.body = fault.message + "\n";
        return answer;
    }
    if (style == Style::Upload) {
        answer.body = to_text({{"error_message", fault.detail.empty() ? fault.message : fault.detail},
                               {"error_details", fault.message}});
        return answer;
    }
    const auto code = static_cast<int>(fault.code);
    Json body{{"code", code}, {"message", fault.message}};
    if (!fault.bare) {
        body["details"] = Json::array({{{"@type", "type.googleapis.com/google.rpc.Status"},
                                        {"code", code},
                                        {"message", fault.detail}}});
    }
    answer.body = to_text(body);
    return answer;
}

} // namespace

std::string Ask::parameter(std::string_view name) const {
    const auto other = camel(name);
    for (const auto& [key, value] : query)
        if (key == name || key == other) return value;
    return "";
}

ListRequest Ask::list_request() const {
    return {parameter("filter"), parameter("sort_by"), parameter("page_token"), parameter("page_size")};
}

bool Ask::reaches(std::string_view team) const {
    return call.teams.empty() || std::find(call.teams.begin(), call.teams.end(), team) != call.teams.end();
}

std::string new_id() {
    Uuid id;
    const auto random = random_bytes(id.bytes.size());
    std::copy(random.begin(), random.end(), id.bytes.begin());
    id.bytes[6] = static_cast<std::uint8_t>((id.bytes[6] & 0x0f) | 0x40);
    id.bytes[8] = static_cast<std::uint8_t>((id.bytes[8] & 0x3f) | 0x80);
    return id.to_string();
}

std::size_t characters(std::string_view text) noexcept {
    return static_cast<std::size_t>(std::count_if(
        text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

engine::Actor actor_of(const Ask& ask, const std::string& doing) {
    return {ask.call.principal, "by a client of Kubeflow Pipelines: " + doing};
}

Outcome<Json> body_message(const Ask& ask, const MessageTable& table) {
    // What a page can send without asking first, be it a form or a body of no type, is no message.
    const auto& type = ask.call.content_type;
    auto essence = printable(type.substr(0, type.find(';')), 80);
    while (essence.ends_with(' '))
        essence.pop_back();
    std::transform(essence.begin(), essence.end(), essence.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    if (!ask.call.body.empty() && essence != "application/json")
        return gateway_fault(Code::Invalid, "a message is Content-Type: application/json, not \"" +
                                                printable(type, 80) + "\"");
    if (ask.call.body.empty()) return Json(Json::object());
    WEIR_ASSIGN(json, parse_json(ask.call.body, message_bytes_max));
    return read_message(json, table);
}

void add_page(Json& answer, const ListPage& page) {
    if (page.total > 0) answer["total_size"] = page.total;
    if (!page.next.empty()) answer["next_page_token"] = page.next;
}

Outcome<Json> Facade::Impl::healthz(const Ask&) {
    return Json{{"commit_sha", "weir"},
                {"tag_name", config.version},
                {"multi_user", false},
                {"pipeline_store", "database"}};
}

Outcome<Json> Facade::Impl::not_here(const Ask&) {
    return Fault(Code::Unimplemented, "there are no Workflows here: weir itself knows how its runs fare",
                 "there are no Workflows here: weir itself knows how its runs fare");
}

Answer Facade::Impl::answer(const Call& call) {
    const auto [path, query] = parts_of(call.target);
    const auto method = call.method == "HEAD" ? std::string_view("GET") : std::string_view(call.method);
    auto found = find_route(method, path);
    if (found.right == nullptr)
        return written(found.any ? gateway_fault(Code::Unimplemented, "Method Not Allowed")
                                 : gateway_fault(Code::NotFound, "Not Found"),
                       Style::Gateway);
    const auto& route = *found.right;
    auto parameters = read_query(query);
    if (!parameters.ok()) return written(parameters.error(), route.style);
    Ask ask{call, {}, std::move(*parameters)};
    for (const auto& value : found.values) {
        auto decoded = path_unescape(value);
        if (!decoded || !valid_utf8(*decoded))
            return written(gateway_fault(Code::Invalid, "invalid URL escape in the path"), Style::Gateway);
        ask.values.push_back(std::move(*decoded));
    }
    auto outcome = (this->*route.answering)(ask);
    if (!outcome.ok()) {
        const auto& fault = outcome.error();
        if (fault.code == Code::Internal)
            log::info("the façade answered with an internal error, as KFP does",
                      {{"path", printable(path, 200)}, {"message", printable(fault.message, 400)}});
        return written(fault, route.style);
    }
    return {200, "application/json", to_text(*outcome)};
}

Facade::Facade(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Facade::~Facade() = default;

Result<std::unique_ptr<Facade>> Facade::open(FacadePorts ports, FacadeConfig config) {
    auto impl = std::make_unique<Impl>(ports, std::move(config));
    WEIR_TRY(impl->make_default_experiment());
    return std::unique_ptr<Facade>(new Facade(std::move(impl)));
}

Need Facade::need(std::string_view method, std::string_view target) {
    const auto path = parts_of(target).first;
    const auto found = find_route(method == "HEAD" ? std::string_view("GET") : method, path);
    // What is not there is told to whoever may look.
    if (found.right == nullptr) return {Scope::Read, message_bytes_max};
    return {found.right->scope, found.right->body_bytes_max};
}

Answer Facade::answer(const Call& call) {
    return impl_->answer(call);
}

Answer Facade::refusal(int status, std::string_view detail) {
    auto code = Code::Invalid;
    if (status == 401) code = Code::Unauthenticated;
    if (status == 403) code = Code::Denied;
    auto answer = written({code, std::string(detail), std::string(detail)}, Style::Gateway);
    answer.status = status;
    return answer;
}

} // namespace weir::facade
