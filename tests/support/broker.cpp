#include <support/broker.hpp>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <stdexcept>
#include <system_error>

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

extern char** environ;

namespace weir::support {

namespace {

using Json = nlohmann::json;

// serve.py gives up after 120 s; this is for one that hangs.
constexpr int answer_timeout_ms = 300'000;

std::system_error system_fault(int number, const char* what) {
    return {number, std::generic_category(), what};
}

Json security_of(const BrokerOptions& options) {
    auto secure = Json::object();
    if (options.tls) secure["tls"] = true;
    if (options.client_certificate) secure["client_certificate"] = true;
    if (!options.user.empty()) secure["user"] = options.user;
    if (!options.password.empty()) secure["password"] = options.password;
    if (!options.token.empty()) secure["token"] = options.token;
    if (!options.sasl.empty()) secure["sasl"] = options.sasl;
    return secure;
}

Json settings_of(std::string_view kind, const BrokerOptions& options) {
    Json settings{{"do", "start"}, {"advertised", options.advertised}, {"secure", security_of(options)}};
    if (kind == "nats") {
        settings["config"] = options.config;
        settings["jetstream"] = options.jetstream;
        return settings;
    }
    settings["config"] = Json::object();
    for (const auto& [name, value] : options.properties)
        settings["config"][name] = value;
    settings["format_arguments"] = options.format_arguments;
    return settings;
}

} // namespace

struct Broker::Child {
    std::string kind;
    pid_t process = -1;
    int commands = -1; ///< its stdin
    int answers = -1;  ///< its stdout
    std::string unread;
    Json state;

    Child() = default;
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;

    ~Child() {
        // The end of its stdin is what tells it to end.
        if (commands >= 0) ::close(commands);
        if (answers >= 0) ::close(answers);
        if (process > 0)
            while (::waitpid(process, nullptr, 0) < 0 && errno == EINTR) {
            }
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

    void ask(const Json& request) {
        write_line(request.dump() + "\n");
        const auto answer = Json::parse(read_line());
        if (!answer.at("ok").get<bool>())
            throw std::runtime_error(kind + ": " + answer.at("error").get<std::string>());
        state = answer;
    }
    void ask(const char* what) { ask(Json{{"do", what}}); }

    void write_line(std::string_view line) const {
        // A child that is gone must be an error here and not the end of the test program.
        struct sigaction ignore {};
        struct sigaction before {};
        ignore.sa_handler = SIG_IGN;
        ::sigaction(SIGPIPE, &ignore, &before);
        int fault = 0;
        while (!line.empty() && fault == 0) {
            const auto written = ::write(commands, line.data(), line.size());
            if (written >= 0) {
                line.remove_prefix(static_cast<std::size_t>(written));
            } else if (errno != EINTR) {
                fault = errno;
            }
        }
        ::sigaction(SIGPIPE, &before, nullptr);
        // EPIPE: why it ended may still be there to be read.
        if (fault != 0 && fault != EPIPE) throw system_fault(fault, "write to serve.py");
    }

    std::string read_line() {
        for (;;) {
            if (const auto end = unread.find('\n'); end != std::string::npos) {
                auto line = unread.substr(0, end);
                unread.erase(0, end + 1);
                return line;
            }
            pollfd ready{answers, POLLIN, 0};
            const int count = ::poll(&ready, 1, answer_timeout_ms);
            if (count < 0 && errno == EINTR) continue;
            if (count <= 0) throw std::runtime_error(kind + ": serve.py does not answer");
            std::array<char, 4096> buffer{};
            const auto size = ::read(answers, buffer.data(), buffer.size());
            if (size < 0 && errno == EINTR) continue;
            if (size <= 0) throw std::runtime_error(kind + ": serve.py has ended; stderr says why");
            unread.append(buffer.data(), static_cast<std::size_t>(size));
        }
    }
};

Broker Broker::start(std::string_view kind, std::string_view version, const BrokerOptions& options) {
    auto child = std::make_unique<Child>();
    child->kind = kind;
    child->spawn({"python3", WEIR_SERVE_BROKER, std::string(kind), std::string(version), "--port",
                  std::to_string(options.port)});
    Broker broker(std::move(child));
    broker.start(options);
    return broker;
}

Broker::Broker(std::unique_ptr<Child> child) : child_(std::move(child)) {}
Broker::Broker(Broker&& other) noexcept = default;
Broker& Broker::operator=(Broker&& other) noexcept = default;
Broker::~Broker() = default;

void Broker::start() {
    child_->ask("start");
}
void Broker::start(const BrokerOptions& options) {
    child_->ask(settings_of(child_->kind, options));
}
void Broker::kill9() {
    child_->ask("kill");
}
void Broker::terminate() {
    child_->ask("stop");
}
void Broker::freeze() {
    child_->ask("freeze");
}
void Broker::thaw() {
    child_->ask("thaw");
}
void Broker::restart() {
    child_->ask("restart");
}
void Broker::wipe() {
    child_->ask("wipe");
}
void Broker::snapshot() {
    child_->ask("snapshot");
}
void Broker::rollback() {
    child_->ask("rollback");
}
bool Broker::running() const {
    return child_->state.at("running").get<bool>();
}
int Broker::port() const {
    return child_->state.at("port").get<int>();
}
int Broker::pid() const {
    return child_->state.at("pid").is_null() ? 0 : child_->state.at("pid").get<int>();
}
const std::string& Broker::url() const {
    return child_->state.at("url").get_ref<const std::string&>();
}
const std::string& Broker::folder() const {
    return child_->state.at("folder").get_ref<const std::string&>();
}
std::string Broker::certificates() const {
    return folder() + "/certificates";
}

} // namespace weir::support
