#include <weir/cli/documents.hpp>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>

#include <weir/base/text.hpp>
#include <weir/config/config.hpp>
#include <weir/flows/document.hpp>

#include "commands.hpp"

namespace weir::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t file_bytes_max = 4 * 1024 * 1024;
constexpr std::size_t together_bytes_max = 8 * 1024 * 1024;
constexpr std::size_t files_max = 1000;

bool is_document_name(const fs::path& path) {
    const auto end = path.extension();
    return end == ".yaml" || end == ".yml" || end == ".json";
}

Status list_folder(const std::string& folder, std::vector<std::string>& found) {
    std::error_code failure;
    std::vector<fs::path> entries;
    for (auto it = fs::directory_iterator(folder, failure); !failure && it != fs::directory_iterator();
         it.increment(failure)) {
        entries.push_back(it->path());
    }
    if (failure) return invalid("cannot read the folder " + folder + ": " + failure.message());
    std::sort(entries.begin(), entries.end());
    for (const auto& entry : entries) {
        if (entry.filename().string().starts_with(".")) continue;
        if (fs::is_directory(entry, failure) && !fs::is_symlink(entry, failure)) {
            WEIR_TRY(list_folder(entry.string(), found));
        } else if (fs::is_regular_file(entry, failure) && is_document_name(entry)) {
            found.push_back(entry.string());
        }
        if (found.size() > files_max * 4) return exhausted("more than 4,000 files below " + folder);
    }
    return {};
}

class Gatherer {
  public:
    Status add(const std::string& path) {
        std::error_code failure;
        if (!fs::exists(path, failure))
            return not_found("there is no file or folder " + printable(path, 400));
        if (!fs::is_directory(path, failure)) return add_file(path, true);
        std::vector<std::string> found;
        WEIR_TRY(list_folder(path, found));
        for (const auto& file : found)
            WEIR_TRY(add_file(file, false));
        return {};
    }

    Result<Gathered> finish() {
        std::stable_partition(out_.files.begin(), out_.files.end(),
                              [](const auto& file) { return file.has_flow; });
        if (out_.files.size() > files_max) return exhausted("more than 1,000 documents; apply them in parts");
        if (bytes_ > together_bytes_max)
            return exhausted("more than 8 MiB of documents and pipelines; apply them in parts");
        return std::move(out_);
    }

  private:
    Status add_file(const std::string& path, bool by_name) {
        const auto same = [&](const auto& file) { return file.name == path; };
        if (std::any_of(out_.files.begin(), out_.files.end(), same) ||
            std::any_of(out_.configs.begin(), out_.configs.end(), same))
            return {};
        auto text = read_file(path, file_bytes_max);
        if (!text.ok()) {
            out_.problems.push_back(text.error().message);
            return {};
        }
        DocumentFile file{path, std::move(*text), false, false};
        Problems problems;
        const auto documents = read_documents(file.text, path, problems);
        if (std::any_of(documents.begin(), documents.end(), config::is_config)) {
            bytes_ += file.text.size();
            out_.configs.push_back(std::move(file));
            return {};
        }
        const auto is_ours = [](const Node& node) { return node.find("trigger") || node.find("flow"); };
        const bool ours = std::any_of(documents.begin(), documents.end(), is_ours);
        if (!by_name && problems.empty() && !ours) {
            out_.passed_over.push_back(path);
            return {};
        }
        for (const auto& document : documents) {
            if (document.find("flow") == nullptr || document.find("trigger") != nullptr) continue;
            file.has_flow = true;
            add_pipeline(document, path);
        }
        const auto is_trigger = [](const Node& node) { return node.find("trigger") != nullptr; };
        file.is_mixed = file.has_flow && std::any_of(documents.begin(), documents.end(), is_trigger);
        bytes_ += file.text.size();
        out_.files.push_back(std::move(file));
        return {};
    }

    void add_pipeline(const Node& document, const std::string& path) {
        // Of a flow on Kubeflow `pipeline` is a name on the server.
        const auto* backend = document.find("backend");
        const bool remote = backend != nullptr && backend->kind == Node::Kind::String &&
                            flows::kind_of_backend(backend->text) == flows::BackendKind::Kubeflow;
        const auto* pipeline = document.find(remote ? "spec" : "pipeline");
        if (pipeline == nullptr || pipeline->kind != Node::Kind::String || pipeline->text.empty()) return;
        const bool absolute = pipeline->text.starts_with('/');
        const auto name = absolute ? pipeline->text : path.substr(0, path.rfind('/') + 1) + pipeline->text;
        if (out_.extra.contains(name)) return;
        auto text = read_file(name, file_bytes_max);
        if (!text.ok()) {
            out_.problems.push_back(pipeline->place.to_string() + ": the pipeline: " + text.error().message);
            return;
        }
        bytes_ += text->size();
        out_.extra.emplace(name, std::move(*text));
    }

    Gathered out_;
    std::size_t bytes_ = 0;
};

} // namespace

Result<std::string> read_file(const std::string& path, std::size_t bytes_max) {
    const auto shown = path == "-" ? std::string("standard input") : printable(path, 400);
    std::ifstream file;
    if (path != "-") {
        std::error_code failure;
        if (fs::is_directory(path, failure)) return invalid(shown + " is a folder; expected a file");
        errno = 0;
        file.open(path, std::ios::binary);
        if (!file)
            return not_found("cannot read " + shown + ": " + std::strerror(errno == 0 ? ENOENT : errno));
    }
    std::istream& in = path == "-" ? std::cin : file;
    std::string text;
    char piece[64 * 1024];
    while (in.read(piece, sizeof piece), in.gcount() > 0) {
        text.append(piece, static_cast<std::size_t>(in.gcount()));
        if (text.size() > bytes_max)
            return exhausted(shown + " is over the limit of " + std::to_string(bytes_max) + " bytes");
    }
    if (in.bad()) return unavailable("reading " + shown + " failed");
    return text;
}

Result<Gathered> gather(const std::vector<std::string>& paths) {
    Gatherer gatherer;
    for (const auto& path : paths)
        WEIR_TRY(gatherer.add(path));
    return gatherer.finish();
}

} // namespace weir::cli
