#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <weir/base/result.hpp>

#include "environment.hpp"

namespace weir::cli {

/// What a weir server answered with a status below 400.
struct Reply {
    int status = 0;
    std::string body;
};

/// Query parameters, decoded; empty values are left out.
using Parameters = std::vector<std::pair<std::string, std::string>>;

/// Talks to a weir server. One connection, kept open.
/// Errors: `unavailable` if no server answers, saying what to do; `cancelled` after SIGINT; a problem of the
/// server
///         as an error of the kind its status means, with its detail; problems of apply stand in problems().
/// Limits: an answer of 64 MiB; 10 s to connect, 5 minutes for an answer.
class Client {
  public:
    /// `invalid` if the server's URL is not http:// or https://.
    static Result<std::unique_ptr<Client>> open(const Environment& environment);
    ~Client();
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    Result<Reply> get(std::string_view path, const Parameters& parameters = {});
    Result<Reply> post(std::string_view path, std::string_view body,
                       std::string_view content_type = "application/json");
    Result<Reply> remove(std::string_view path, const Parameters& parameters = {});

    /// The `problems` list of the newest problem, file:line:column lines.
    [[nodiscard]] const std::vector<std::string>& problems() const;

    /// False if the newest request did not even reach a server.
    [[nodiscard]] bool connected() const;

  private:
    struct Impl;
    explicit Client(std::unique_ptr<Impl> impl);
    Result<Reply> request(const char* method, std::string_view path, const Parameters& parameters,
                          std::optional<std::string_view> body, std::string_view content_type);
    std::unique_ptr<Impl> impl_;
};

} // namespace weir::cli
