#include "documents.hpp"

#include <weir/cli/documents.hpp>

namespace weir::app {

Result<engine::ApplyRequest> read_documents_to_apply(const std::vector<std::string>& paths) {
    WEIR_ASSIGN(gathered, cli::gather(paths));
    if (!gathered.problems.empty()) {
        std::string all;
        for (const auto& problem : gathered.problems)
            all += "\n" + problem;
        return invalid("the documents were not applied:" + all);
    }
    engine::ApplyRequest request;
    for (auto& file : gathered.files)
        request.files.push_back({std::move(file.name), std::move(file.text)});
    request.extra = std::move(gathered.extra);
    return request;
}

} // namespace weir::app
