#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <weir/base/clock.hpp>

// What stands in the URL of a request.
namespace weir::flows::kubeflow {

/// The query part of a URL, "?a=b&c=d". Values are encoded; empty ones are left out, since the server takes
/// an empty value for a value.
class Query {
  public:
    Query& add(std::string_view name, std::string_view value);
    /// A filter: encoded twice, since the server decodes it a second time.
    Query& filter(std::string_view json);
    [[nodiscard]] const std::string& text() const { return text_; }

  private:
    void append(std::string_view name, std::string_view encoded);
    std::string text_;
};

/// Filters (kfp filter.proto): predicates that must all hold.
class Filter {
  public:
    Filter& equals(std::string_view key, std::string_view value);
    Filter& one_of(std::string_view key, const std::vector<std::string>& values);
    /// At or after `time`, cut to seconds as the server does.
    Filter& not_before(std::string_view key, Instant time);
    [[nodiscard]] std::string json() const;

  private:
    Filter& add(std::string predicate);
    std::string predicates_;
};

/// Looks like an id of the server's: 8-4-4-4-12 hexadecimal digits.
bool looks_like_id(std::string_view text);

} // namespace weir::flows::kubeflow
