#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <simdjson.h>

#include <weir/base/result.hpp>

namespace weir::flows::kubeflow {

/// A JSON text from the server, parsed and checked whole. Elements live as long as the document.
class Document {
  public:
    /// `invalid` with a reason.
    static Result<Document> parse(std::string_view text);
    [[nodiscard]] simdjson::dom::element root() const { return root_; }

  private:
    Document() = default;
    std::unique_ptr<simdjson::dom::parser> parser_;
    simdjson::dom::element root_;
};

using Element = simdjson::dom::element;

/// The member of an object, or nothing where `object` is none or has none.
std::optional<Element> member(Element object, std::string_view name);
/// The string of a member, or an empty one.
std::string_view text_of(Element object, std::string_view name);
bool flag_of(Element object, std::string_view name, bool otherwise);
std::int64_t number_of(Element object, std::string_view name, std::int64_t otherwise);
/// The array of a member; empty if it is none.
std::optional<simdjson::dom::array> list_of(Element object, std::string_view name);
/// The element as compact JSON.
std::string to_text(Element element);

} // namespace weir::flows::kubeflow
