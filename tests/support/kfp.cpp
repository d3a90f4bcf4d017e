#include <support/kfp.hpp>

#include <algorithm>
#include <csignal>
#include <stdexcept>

#include <curl/curl.h>
#include <nlohmann/json.hpp>

#include <support/python_child.hpp>

namespace weir::support {

namespace {

// For one that hangs; a loaded machine takes seconds to start Python.
constexpr int start_timeout_ms = 120'000;
constexpr long call_timeout_s = 120;

std::size_t take(char* data, std::size_t size, std::size_t count, void* into) {
    static_cast<std::string*>(into)->append(data, size * count);
    return size * count;
}

struct Request {
    std::string method, url;
    std::string body;
    std::string file;         ///< sent as a form's file
    std::string certificates; ///< folder with client.pem and client.key, shown to the server
};

std::string perform(const Request& request) {
    const std::unique_ptr<CURL, void (*)(CURL*)> curl(curl_easy_init(), curl_easy_cleanup);
    std::string answer;
    curl_easy_setopt(curl.get(), CURLOPT_URL, request.url.c_str());
    curl_easy_setopt(curl.get(), CURLOPT_CUSTOMREQUEST, request.method.c_str());
    curl_easy_setopt(curl.get(), CURLOPT_PROXY, "");
    curl_easy_setopt(curl.get(), CURLOPT_NOSIGNAL, 1L);
    // Servers with a certificate of their own are reached all the same.
    curl_easy_setopt(curl.get(), CURLOPT_SSL_VERIFYPEER, 0L);
    curl_easy_setopt(curl.get(), CURLOPT_SSL_VERIFYHOST, 0L);
    if (!request.certificates.empty()) {
        curl_easy_setopt(curl.get(), CURLOPT_SSLCERT, (request.certificates + "/client.pem").c_str());
        curl_easy_setopt(curl.get(), CURLOPT_SSLKEY, (request.certificates + "/client.key").c_str());
    }
    curl_easy_setopt(curl.get(), CURLOPT_TIMEOUT, call_timeout_s);
    curl_easy_setopt(curl.get(), CURLOPT_WRITEFUNCTION, &take);
    curl_easy_setopt(curl.get(), CURLOPT_WRITEDATA, &answer);
    const std::unique_ptr<curl_mime, void (*)(curl_mime*)> form(curl_mime_init(curl.get()), curl_mime_free);
    if (!request.file.empty()) {
        curl_mimepart* part = curl_mime_addpart(form.get());
        curl_mime_name(part, "uploadfile");
        curl_mime_filename(part, "pipeline.yaml");
        curl_mime_data(part, request.file.data(), request.file.size());
        curl_easy_setopt(curl.get(), CURLOPT_MIMEPOST, form.get());
    } else if (!request.body.empty() || request.method == "POST") {
        curl_easy_setopt(curl.get(), CURLOPT_POSTFIELDS, request.body.data());
        curl_easy_setopt(curl.get(), CURLOPT_POSTFIELDSIZE, static_cast<long>(request.body.size()));
    }
    if (const auto code = curl_easy_perform(curl.get()); code != CURLE_OK)
        throw std::runtime_error("scripted KFP server, " + request.url + ": " + curl_easy_strerror(code));
    return answer;
}

} // namespace

struct ScriptedKfp::Child {
    PythonChild python;
    std::string url, control, certificates;
    int port = 0;

    explicit Child(const std::vector<std::string>& words) : python("the KFP server", words) {}
};

ScriptedKfp::ScriptedKfp(std::unique_ptr<Child> child) : child_(std::move(child)) {
    const auto started = nlohmann::json::parse(child_->python.read_line(start_timeout_ms));
    if (!started.at("ok").get<bool>()) throw std::runtime_error(started.at("error").get<std::string>());
    child_->url = started.at("url");
    child_->control = started.at("control");
    child_->port = started.at("port");
}

ScriptedKfp::ScriptedKfp(std::vector<std::string> arguments)
    : ScriptedKfp([&] {
          std::vector<std::string> words{WEIR_KFP_SERVERS "/serve.py"};
          words.insert(words.end(), arguments.begin(), arguments.end());
          auto child = std::make_unique<Child>(words);
          const auto made = std::find(words.begin(), words.end(), "--certificates");
          if (made != words.end() && made + 1 != words.end()) child->certificates = made[1];
          return child;
      }()) {}

ScriptedKfp ScriptedKfp::facade(const std::string& weir_program) {
    return ScriptedKfp(
        std::make_unique<Child>(std::vector<std::string>{WEIR_KFP_SERVERS "/facade.py", weir_program}));
}

ScriptedKfp::ScriptedKfp(ScriptedKfp&&) noexcept = default;
ScriptedKfp::~ScriptedKfp() = default;

const std::string& ScriptedKfp::url() const {
    return child_->url;
}
int ScriptedKfp::port() const {
    return child_->port;
}

std::string ScriptedKfp::get(std::string_view name) const {
    return perform({"GET", child_->control + "/" + std::string(name), {}, {}, child_->certificates});
}
std::string ScriptedKfp::post(std::string_view name, std::string_view body) const {
    return perform(
        {"POST", child_->control + "/" + std::string(name), std::string(body), {}, child_->certificates});
}
std::string ScriptedKfp::call(std::string_view method, std::string_view path, std::string_view body) const {
    return perform(
        {std::string(method), child_->url + std::string(path), std::string(body), {}, child_->certificates});
}
std::string ScriptedKfp::upload(std::string_view name, std::string_view pipeline) const {
    return perform({"POST",
                    child_->url + "/apis/v2beta1/pipelines/upload?name=" + std::string(name),
                    {},
                    std::string(pipeline),
                    child_->certificates});
}
std::string ScriptedKfp::upload_version(std::string_view pipeline_id, std::string_view name,
                                        std::string_view pipeline) const {
    return perform({"POST",
                    child_->url + "/apis/v2beta1/pipelines/upload_version?pipelineid=" +
                        std::string(pipeline_id) + "&name=" + std::string(name),
                    {},
                    std::string(pipeline),
                    child_->certificates});
}
void ScriptedKfp::kill() {
    child_->python.end(SIGKILL);
}

} // namespace weir::support
