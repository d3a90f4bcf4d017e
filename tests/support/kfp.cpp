#include <support/kfp.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <stdexcept>
#include <system_error>

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <curl/curl.h>
#include <nlohmann/json.hpp>

extern char** environ;

namespace weir::support {

namespace {

// For one that hangs; a loaded machine takes seconds to start Python.
constexpr int start_timeout_ms = 120'000;
constexpr long call_timeout_s = 120;

std::system_error system_fault(int number, const char* what) {
    return {number, std::generic_category(), what};
}

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
    pid_t process = -1;
    int commands = -1; ///< its stdin
    int answers = -1;  ///< its stdout
    std::string url, control, certificates;
    int port = 0;

    Child() = default;
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;
    ~Child() { end(0); }

    void end(int signal) {
        if (commands >= 0) ::close(commands);
        if (answers >= 0) ::close(answers);
        commands = answers = -1;
        if (process <= 0) return;
        if (signal != 0) ::kill(process, signal);
        while (::waitpid(process, nullptr, 0) < 0 && errno == EINTR) {
        }
        process = -1;
    }

    void spawn(std::vector<std::string> words) {
        std::array<int, 2> in{-1, -1};
        std::array<int, 2> out{-1, -1};
        if (::pipe2(in.data(), O_CLOEXEC) != 0) throw system_fault(errno, "pipe");
        commands = in[1];
        if (::pipe2(out.data(), O_CLOEXEC) != 0) {
            ::close(in[0]);
            throw system_fault(errno, "pipe");
        }
        answers = out[0];
        posix_spawn_file_actions_t actions;
        ::posix_spawn_file_actions_init(&actions);
        ::posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
        ::posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
        std::vector<char*> arguments;
        for (auto& word : words)
            arguments.push_back(word.data());
        arguments.push_back(nullptr);
        const int failed =
            ::posix_spawnp(&process, arguments[0], &actions, nullptr, arguments.data(), environ);
        ::posix_spawn_file_actions_destroy(&actions);
        ::close(in[0]);
        ::close(out[1]);
        if (failed != 0) {
            process = -1;
            throw system_fault(failed, "python3");
        }
    }

    [[nodiscard]] std::string read_line() const {
        std::string line;
        for (;;) {
            pollfd ready{answers, POLLIN, 0};
            const int count = ::poll(&ready, 1, start_timeout_ms);
            if (count < 0 && errno == EINTR) continue;
            if (count <= 0) throw std::runtime_error("the scripted KFP server does not start");
            char byte = 0;
            const auto size = ::read(answers, &byte, 1);
            if (size < 0 && errno == EINTR) continue;
            if (size <= 0) throw std::runtime_error("the scripted KFP server has ended; stderr says why");
            if (byte == '\n') return line;
            line += byte;
        }
    }
};

ScriptedKfp::ScriptedKfp(std::unique_ptr<Child> child) : child_(std::move(child)) {
    const auto started = nlohmann::json::parse(child_->read_line());
    if (!started.at("ok").get<bool>()) throw std::runtime_error(started.at("error").get<std::string>());
    child_->url = started.at("url");
    child_->control = started.at("control");
    child_->port = started.at("port");
}

ScriptedKfp::ScriptedKfp(std::vector<std::string> arguments)
    : ScriptedKfp([&] {
          std::vector<std::string> words{"python3", WEIR_KFP_SERVERS "/serve.py"};
          words.insert(words.end(), arguments.begin(), arguments.end());
          auto child = std::make_unique<Child>();
          const auto made = std::find(words.begin(), words.end(), "--certificates");
          if (made != words.end() && made + 1 != words.end()) child->certificates = made[1];
          child->spawn(std::move(words));
          return child;
      }()) {}

ScriptedKfp ScriptedKfp::facade(const std::string& weir_program) {
    auto child = std::make_unique<Child>();
    child->spawn({"python3", WEIR_KFP_SERVERS "/facade.py", weir_program});
    return ScriptedKfp(std::move(child));
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
    child_->end(SIGKILL);
}

} // namespace weir::support
