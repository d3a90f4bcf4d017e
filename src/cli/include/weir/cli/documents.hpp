#pragma once

#include <map>
#include <string>
#include <vector>

#include <weir/base/document.hpp>
#include <weir/base/result.hpp>

namespace weir::cli {

/// A file that holds trigger or flow documents.
struct DocumentFile {
    std::string name; ///< path as given or found, as problems name it
    std::string text;
    bool has_flow = false;
    bool is_mixed = false; ///< triggers beside flows
};

/// What `weir apply` and `weir check` work on.
struct Gathered {
    std::vector<DocumentFile> files;          ///< those with flows first, else in order
    std::vector<DocumentFile> configs;        ///< configuration files (`weir: 1`): nothing to apply
    std::map<std::string, std::string> extra; ///< pipelines: the document's folder and the path written in it
    std::vector<std::string> passed_over;     ///< files of folders that hold neither a trigger nor a flow
    std::vector<std::string> problems;        ///< "file:line:column: ..."
};

/// Reads files, and *.yaml, *.yml and *.json of folders (with their folders, hidden ones left out, in the
/// order of their names), and the pipeline files that their flow documents name. A file named by itself
/// always counts as a document. Limits: 1,000 documents, 4 MiB a file, 8 MiB together. Errors: `not_found`
/// for a path that is not there; everything else is a problem.
Result<Gathered> gather(const std::vector<std::string>& paths);

} // namespace weir::cli
