#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <weir/base/document.hpp>
#include <weir/base/result.hpp>
#include <weir/server/http.hpp>

namespace weir::server {

/// The JSON object in a request's body, read strictly: the text is validated whole (syntax, UTF-8, depth 64,
/// no name twice), unknown members are errors with a suggestion. The Content-Type was looked at before.
class Body {
  public:
    /// `known`: names of all members the route takes. An empty body is an empty object if `may_be_empty`.
    /// Errors: `invalid` with line and column, `exhausted` past a limit.
    static Result<Body> read(const Request& request, std::vector<std::string_view> known, bool may_be_empty,
                             std::size_t bytes_max);

    /// Members; each is an error if it has another type. A text that is absent is empty, a bool is false.
    [[nodiscard]] Result<std::string> text(std::string_view name) const;
    [[nodiscard]] Result<bool> boolean(std::string_view name) const;
    /// Nothing if absent.
    [[nodiscard]] Result<std::optional<std::int64_t>> whole(std::string_view name) const;
    /// nullptr if absent.
    [[nodiscard]] Result<const Node*> object(std::string_view name) const;
    [[nodiscard]] Result<const Node*> list(std::string_view name) const;

  private:
    Node root_;
};

} // namespace weir::server
