#pragma once

#include <functional>
#include <string>
#include <string_view>

#include <weir/ledger/reader.hpp>
#include <weir/server/authorizer.hpp>
#include <weir/server/http.hpp>

namespace weir::server {

/// A part of the path that somebody else answers, with a notation of its own for errors. What the Api checks
/// on every route it checks here too, before the mount is asked anything: Host, Origin, Sec-Fetch-Site, who
/// asks, the scope, the size. Paths, methods and query parameters are the mount's own affair.
/// Thread: all of them from any thread, several at once; needs() and refusal() never block.
struct Mount {
    struct Needs {
        Role role = Role::Whole;
        std::size_t body_bytes_max = 0;
    };
    std::string prefix;               ///< "/apis/v2beta1/": targets that begin with it
    std::size_t target_bytes_max = 0; ///< a longer target is answered with 414
    std::function<Needs(const Request& head)> needs;
    /// `reader` shows what the caller may see.
    std::function<Response(const Request& request, const Caller& caller, ledger::LedgerReader& reader)>
        answer;
    /// How this mount's clients are told that they were turned away.
    std::function<Response(int status, std::string_view detail)> refusal;
};

} // namespace weir::server
