#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>

#include <weir/base/text.hpp>

#include "commands.hpp"
#include "parse.hpp"

/// Private to the translation units that know CLI11.
namespace weir::cli {

/// The command line as CLI11 sees it, with where each command puts its options.
class Parser {
  public:
    Parser(const Commands& hooks, Parsed& out);
    void parse(int argc, const char* const* argv);

  private:
    void end(int code, std::string text) { out_.ended = Parsed::Ended{code, std::move(text)}; }

    std::string advice(const CLI::ParseError& error) const;

    CLI::App* command(const std::string& name, const std::string& what, const std::string& examples,
                      CLI::App* parent = nullptr) {
        auto* made = (parent == nullptr ? &app_ : parent)->add_subcommand(name, what);
        made->footer("Examples:\n" + examples);
        return made;
    }

    /// A command that asks the server.
    template <class Options>
    void client(CLI::App* command, std::shared_ptr<Options> options,
                Result<int> (*action)(const Environment&, const Options&)) {
        server(command);
        offline(command, std::move(options), action);
    }
    /// Which server, and what proves who asks. `by_folder`: no other --data is in the way.
    void server(CLI::App* command, bool by_folder = true) {
        command->add_option("--server", out_.server, "the server's address (else WEIR_SERVER)");
        auto* file = command->add_option("--token-file", out_.token_file,
                                         "file with the token to show (else WEIR_TOKEN)");
        if (!by_folder) return;
        command
            ->add_option("--data", out_.data,
                         "data folder of a weir on this machine: its token file, if it has one")
            ->excludes(file);
    }
    template <class Options>
    void offline(CLI::App* command, std::shared_ptr<Options> options,
                 Result<int> (*action)(const Environment&, const Options&)) {
        command->callback([this, options, action] {
            out_.client = [options, action](Environment& environment) {
                return action(environment, *options);
            };
        });
    }
    template <class Options>
    void application(CLI::App* command, std::shared_ptr<Options> options,
                     const std::function<int(const Options&)>& hook) {
        command->callback([this, options, &hook, command] {
            if (!hook)
                return end(exit_wrong_use, "weir: `" + command->get_name() + "` is not in this build\n");
            out_.application = [options, &hook] { return hook(*options); };
        });
    }

    static void reason(CLI::App* command, std::string& into) {
        command->add_option("--reason", into, "why, for the audit trail")->check([](const std::string& text) {
            return text.empty() ? std::string("a reason cannot be empty") : std::string();
        });
    }
    static void json(CLI::App* command, bool& into) {
        command->add_flag("--json", into, "one JSON object a line");
    }

    void add_dev();
    void add_serve();
    void add_token();
    void add_ledger();
    void add_documents();
    void add_publish();
    void add_listings();
    std::pair<CLI::App*, std::shared_ptr<ListOptions>> add_listing(
        const std::string& name, const std::string& what, const std::string& examples,
        const std::vector<std::pair<std::string, std::string>>& filters, bool timed);
    void add_explain();
    void add_triggers();
    void add_runs();
    void add_report();
    void add_streams();
    void add_offline();
    void add_unbuilt();
    void add_help();

    const Commands& hooks_;
    Parsed& out_;
    CLI::App app_;
    std::string first_; ///< the first word, for suggestions
};

} // namespace weir::cli
