#include "facade_mount.hpp"

#include <utility>

namespace weir::app {
namespace {

server::Role role_of(facade::Scope scope) {
    switch (scope) {
        case facade::Scope::Open: return server::Role::Open;
        case facade::Scope::Read: return server::Role::Read;
        case facade::Scope::Operate: return server::Role::Operate;
        case facade::Scope::Admin: break;
    }
    return server::Role::Admin;
}

server::Response response_of(facade::Answer answer) {
    server::Response response;
    response.status = answer.status;
    response.headers.push_back({"Content-Type", std::move(answer.content_type)});
    response.body = std::move(answer.body);
    return response;
}

} // namespace

server::Mount facade_mount(facade::Facade& facade) {
    server::Mount mount;
    mount.prefix = facade::prefix;
    mount.target_bytes_max = facade::target_bytes_max;
    mount.needs = [](const server::Request& head) {
        const auto need = facade::Facade::need(head.method, head.target);
        return server::Mount::Needs{role_of(need.scope), need.body_bytes_max};
    };
    mount.answer = [&facade](const server::Request& request, const server::Caller& caller,
                             ledger::LedgerReader& reader) {
        facade::Call call;
        call.method = request.method;
        call.target = request.target;
        if (const auto* type = request.header("Content-Type")) call.content_type = *type;
        call.body = request.body;
        call.principal = caller.principal;
        call.teams = caller.teams;
        call.admin = caller.may(server::Role::Admin);
        call.reader = &reader;
        return response_of(facade.answer(call));
    };
    mount.refusal = [](int status, std::string_view detail) {
        return response_of(facade::Facade::refusal(status, detail));
    };
    return mount;
}

} // namespace weir::app
