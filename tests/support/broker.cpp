#include <support/broker.hpp>

#include <stdexcept>
#include <vector>

#include <nlohmann/json.hpp>

#include <support/python_child.hpp>

namespace weir::support {

namespace {

using Json = nlohmann::json;

// serve.py gives up after 120 s; this is for one that hangs.
constexpr int answer_timeout_ms = 300'000;

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
    PythonChild python;
    Json state;

    Child(std::string of, const std::vector<std::string>& words)
        : kind(std::move(of)), python(kind + ": serve.py", words) {}

    void ask(const Json& request) {
        python.write_line(request.dump());
        const auto answer = Json::parse(python.read_line(answer_timeout_ms));
        if (!answer.at("ok").get<bool>())
            throw std::runtime_error(kind + ": " + answer.at("error").get<std::string>());
        state = answer;
    }
    void ask(const char* what) { ask(Json{{"do", what}}); }
};

Broker Broker::start(std::string_view kind, std::string_view version, const BrokerOptions& options) {
    const std::vector<std::string> words{WEIR_SERVE_BROKER, std::string(kind), std::string(version), "--port",
                                         std::to_string(options.port)};
    auto child = std::make_unique<Child>(std::string(kind), words);
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
