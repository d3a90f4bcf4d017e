#pragma once

#include <string>
#include <string_view>

#include <weir/base/result.hpp>

namespace weir::facade {

/// A file in a form.
struct FormFile {
    std::string name; ///< as the client calls it: "pipeline.yaml"
    std::string content;
};

/// The file in the field `uploadfile` of a multipart/form-data body (RFC 7578). `invalid` if the body is not
/// of that form, is cut off, or has no such field. Limits: 64 fields, 8 KiB of header each.
Result<FormFile> read_form(std::string_view content_type, std::string_view body);

} // namespace weir::facade
