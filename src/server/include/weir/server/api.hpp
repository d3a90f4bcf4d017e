#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <weir/base/clock.hpp>
#include <weir/engine/engine.hpp>
#include <weir/flows/launcher.hpp>
#include <weir/ledger/reader.hpp>
#include <weir/server/authorizer.hpp>
#include <weir/server/http.hpp>
#include <weir/server/mount.hpp>

namespace weir::server {

struct ApiConfig {
    std::string version; ///< of weir, shown on /healthz
    /// Names a Host header may carry beside 127.0.0.1, localhost and [::1]: "name" (with the server's port)
    /// or "name:port".
    /// "*": any name; for a server that asks for tokens alone, since the list keeps web pages away.
    std::vector<std::string> allowed_hosts;
    bool watch_is_open = true; ///< /readyz and /metrics ask for no token: loopback

    // Documented limits; a longer body is answered with 413.
    std::size_t event_bytes_max = 1024 * 1024;           ///< one event
    std::size_t batch_bytes_max = 8 * 1024 * 1024;       ///< a batch of events, an apply request
    std::size_t command_bytes_max = 1024 * 1024 + 65536; ///< run, pause, resume, cancel, retry
    std::size_t report_bytes_max = 1024 * 1024;          ///< what a run says of itself
    std::size_t batch_events_max = 10'000;
    std::size_t target_bytes_max = 8 * 1024;
    std::size_t log_bytes_max = 4 * 1024 * 1024; ///< of a task's log, from its end
};

/// Where the answers come from. All of it outlives the Api.
struct ApiPorts {
    engine::Engine& engine;
    ledger::LedgerReader& reader;
    flows::TaskReader* tasks = nullptr; ///< nullptr: no backend here keeps tasks
    const Authorizer& authorizer;
    const Clock& clock;
    /// Launches that wait inside their backends, each with its reason. Any thread. Empty: none do.
    std::function<std::vector<flows::WaitingLaunch>()> waiting;
};

/// The HTTP API, without a network: a request in, a response out. Every route stands in one table
/// (src/routes.cpp) with its method, role, query parameters and body limit.
///
/// Checked before anything else, on every route: Host against the allow-list, Origin and Sec-Fetch-Site (a
/// web page must not start pipelines), then the path (404), method (405 with Allow), query parameters (400),
/// who asks (401 with WWW-Authenticate), scope and team (403), size (413). Errors are RFC 9457 problem+json:
/// type, title, status, detail, and `problems` for apply. Listings give {"items": [...], "next": "...",
/// "after": n}: `page=next` continues, `after=n` watches. Thread: handle() and admit() from any thread,
/// several at once.
class Api {
  public:
    Api(ApiPorts ports, ApiConfig config);
    ~Api();
    Api(const Api&) = delete;
    Api& operator=(const Api&) = delete;

    Response handle(const Request& request);
    /// The checks that need no body.
    Admission admit(const Request& head);
    /// Both as the HTTP server wants them. The Api must outlive the server.
    Handler handler();

    /// Hands every target that begins with the mount's prefix to it. Before the first request.
    void mount(Mount mount);

    /// The port the server got: Host must name it from now on. 0 (at first): any port.
    void bound_to(std::uint16_t port);

    struct Impl;

  private:
    std::unique_ptr<Impl> impl_;
};

} // namespace weir::server
