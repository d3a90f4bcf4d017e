#include <algorithm>

#include "api_impl.hpp"
#include "json_object.hpp"
#include "openapi/document.hpp"

namespace weir::server {

Result<Response> Api::Impl::healthz(const Call&) {
    return json_response(JsonObject().text("status", "ok").text("version", config.version).end() + "\n");
}

Result<Response> Api::Impl::readyz(const Call&) {
    const auto items = ports.engine.readiness();
    const bool ready = std::all_of(items.begin(), items.end(),
                                   [](const auto& item) { return item.ready || !item.required; });
    std::string list = "[";
    for (const auto& item : items) {
        list += list.size() > 1 ? "," : "";
        list += JsonObject()
                    .text("name", item.name)
                    .boolean("ready", item.ready)
                    .boolean("required", item.required)
                    .text_or_null("detail", item.detail)
                    .end();
    }
    auto response = json_response(JsonObject().boolean("ready", ready).raw("items", list + "]").end() + "\n",
                                  ready ? 200 : 503);
    if (!ready) response.headers.push_back({"Retry-After", "1"});
    return response;
}

Result<Response> Api::Impl::metrics(const Call&) {
    Response response;
    response.headers.push_back({"Content-Type", "text/plain; version=0.0.4; charset=utf-8"});
    response.body = request_metrics.text(ports.engine.metrics());
    return response;
}

Result<Response> Api::Impl::openapi(const Call&) {
    return json_response(openapi_document(config.version) + "\n");
}

} // namespace weir::server
