#include "parse.hpp"

#include <algorithm>

#include "parser.hpp"

namespace weir::cli {
namespace {

/// The words before a command: "weir ledger" for `weir ledger claim`.
std::string words_before(const CLI::App* app) {
    const auto* parent = app->get_parent();
    if (parent == nullptr) return {};
    const auto before = words_before(parent);
    return before + (before.empty() ? "" : " ") + parent->get_name();
}

std::string help_of(const CLI::App* app) {
    return app->help(words_before(app));
}

std::string help_of_deepest(CLI::App* app) {
    while (!app->get_subcommands().empty())
        app = app->get_subcommands().front();
    return help_of(app);
}

std::string full_name(const CLI::App* app) {
    const auto* parent = app->get_parent();
    return parent == nullptr || parent->get_parent() == nullptr ? app->get_name()
                                                                : full_name(parent) + " " + app->get_name();
}

CLI::App* find_command(CLI::App* parent, const std::string& name) {
    for (auto* command : parent->get_subcommands({})) {
        if (command->get_name() == name) return command;
    }
    return nullptr;
}

Result<FolderOption> read_folder(const std::string& text) {
    FolderOption folder;
    const auto equals = text.find('=');
    if (equals == std::string::npos) return invalid("expected NAME=DIR or NAME=DIR:publish");
    folder.name = text.substr(0, equals);
    folder.directory = text.substr(equals + 1);
    const auto colon = folder.directory.rfind(':');
    if (colon != std::string::npos) {
        const auto word = folder.directory.substr(colon + 1);
        if (word == "publish" || word == "ignore") {
            folder.publish_existing = word == "publish";
            folder.directory.resize(colon);
        } else if (word.find('/') == std::string::npos) {
            return invalid("after the folder may stand :publish or :ignore, not :" + printable(word, 40));
        }
    }
    if (!valid_name(folder.name))
        return invalid("\"" + printable(folder.name, 60) + "\" is no name for a folder source");
    if (folder.directory.empty()) return invalid("the folder of " + folder.name + " is missing");
    return folder;
}

} // namespace

Parser::Parser(const Commands& hooks, Parsed& out) : hooks_(hooks), out_(out) {
    app_.name("weir");
    app_.description("weir: flows that start each other by events, with a ledger of what happened and why");
    app_.require_subcommand(0, 1);
    app_.set_help_flag("-h,--help", "what this command does, with examples");
    app_.set_version_flag("--version", "weir " + hooks.version);
    app_.footer(
        "Exit codes: 0 done, 1 failed, 2 wrong use (or not built yet).\n"
        "Client commands ask the server at --server or WEIR_SERVER, else http://127.0.0.1:9347; they show "
        "the "
        "token of --token-file, of --data DIR (DIR/token), or WEIR_TOKEN.\n"
        "`weir help COMMAND` shows examples.");
    add_dev();
    add_serve();
    add_token();
    add_ledger();
    add_documents();
    add_publish();
    add_listings();
    add_explain();
    add_triggers();
    add_runs();
    add_streams();
    add_offline();
    add_unbuilt();
    add_help();
}

void Parser::parse(int argc, const char* const* argv) {
    if (argc > 1) first_ = argv[1];
    try {
        app_.parse(argc, argv);
        if (!out_.client && !out_.application && !out_.ended) end(exit_wrong_use, app_.help());
    } catch (const CLI::CallForVersion& version) {
        end(exit_done, std::string(version.what()) + "\n");
    } catch (const CLI::CallForHelp&) {
        end(exit_done, help_of_deepest(&app_));
    } catch (const CLI::ParseError& error) {
        end(exit_wrong_use, "weir: " + advice(error) + "\n");
    }
}

std::string Parser::advice(const CLI::ParseError& error) const {
    const auto* deepest = &app_;
    while (!deepest->get_subcommands().empty())
        deepest = deepest->get_subcommands().front();
    std::string text = printable(error.what(), 400);
    if (deepest == &app_ && !first_.empty()) {
        std::vector<std::string> names;
        for (const auto* command : app_.get_subcommands({}))
            names.push_back(command->get_name());
        const std::vector<std::string_view> known(names.begin(), names.end());
        if (std::find(known.begin(), known.end(), first_) == known.end() && !first_.starts_with('-'))
            text = "there is no command \"" + printable(first_, 60) + "\"" + did_you_mean(first_, known);
    }
    const auto name = deepest == &app_ ? std::string() : " " + full_name(deepest);
    return text + "\n`weir help" + name + "` says how it is used";
}

namespace {

/// An address is no folder: what it would mean is not built yet.
std::string a_folder(const std::string& text) {
    const auto scheme = text.find("://");
    if (scheme == std::string::npos) return {};
    if (text.starts_with("postgres"))
        return "a ledger in PostgreSQL is not built yet; give a folder: the ledger there is SQLite";
    return "expected a folder, found an address: " + printable(text, 100);
}

} // namespace

namespace {

/// Options that dev and serve share.
void add_place(CLI::App* command, ServeOptions& options) {
    command->add_option("--data", options.data, "folder of ledger, bus and runs (dev: .weir)")
        ->check(a_folder);
    command->add_option("--port", options.port, "port to listen on; 0 picks a free one (9347)");
    command->add_option("--log-level", options.log_level, "of the JSON log on stderr (info)")
        ->check(CLI::IsMember({"debug", "info", "warn", "error", "off"}));
    command->add_option("--on-ready", options.on_ready,
                        "file that gets the server's URL once everything is ready");
}

} // namespace

void Parser::add_dev() {
    auto options = std::make_shared<ServeOptions>();
    auto* dev = command("dev", "run everything in this process: bus, engine, ledger, local runner, HTTP API",
                        "  weir dev\n"
                        "  weir dev --data /tmp/try --port 0 --folder inbox=./inbox\n"
                        "  weir dev --apply ./triggers --folder inbox=./inbox:publish\n"
                        "  weir dev --config weir.yaml --port 0   # the command line wins over the file");
    dev->add_option("--config", options->config, "configuration file");
    add_place(dev, *options);
    dev->add_option("--address", options->address, "loopback address to listen on (127.0.0.1)");
    dev->add_option("--instance", options->instance, "name of this weir in the source of its events (dev)")
        ->check([](const std::string& name) {
            return valid_name(name) ? "" : "a name has letters, digits, . _ -";
        });
    dev->add_option_function<std::vector<std::string>>(
           "--folder",
           [options](const std::vector<std::string>& texts) {
               for (const auto& text : texts) {
                   auto folder = read_folder(text);
                   if (!folder.ok()) throw CLI::ValidationError("--folder", folder.error().message);
                   options->folders.push_back(std::move(*folder));
               }
           },
           "NAME=DIR[:publish|ignore]: files that land in DIR become events; may be given several times")
        ->allow_extra_args(false);
    dev->add_option("--apply", options->apply, "files and folders applied at the start")
        ->allow_extra_args(false);
    dev->add_option("--allow-host", options->allowed_hosts, "a further name that Host headers may carry")
        ->allow_extra_args(false);
    application(dev, options, hooks_.dev);
}

void Parser::add_serve() {
    auto options = std::make_shared<ServeOptions>();
    auto* serve = command("serve", "run the engine as a configuration file says; SIGHUP reads it again",
                          "  weir serve --config /etc/weir/weir.yaml\n"
                          "  weir check /etc/weir/weir.yaml                   # before it is (re)started\n"
                          "  weir serve --config weir.yaml --take-over        # from an engine that hangs");
    serve->add_option("--config", options->config, "configuration file")->required();
    add_place(serve, *options);
    serve->add_flag("--take-over", options->take_over,
                    "take the data folder from an engine that still has it; that one ends when it wakes");
    application(serve, options, hooks_.serve);
}

void Parser::add_token() {
    auto* token =
        command("token", "make bearer tokens",
                "  weir token new --principal ci --scopes publish\n"
                "  weir token new --principal alice --scopes operate --team ads --append tokens.yaml");
    token->require_subcommand(1);
    auto options = std::make_shared<TokenOptions>();
    auto* made = command("new", "make a token: shown once, with its line for the tokens file",
                         "  weir token new --principal alice --scopes read,operate --team ads", token);
    made->add_option("--principal", options->principal, "who the bearer is; recorded with every act")
        ->required();
    made->add_option("--scopes", options->scopes, "publish, read, operate (and read), admin (all)")
        ->delimiter(',')
        ->required();
    made->add_option("--team", options->teams, "acts on and sees this team alone; may be given several times")
        ->allow_extra_args(false);
    made->add_option("--append", options->append, "tokens file that gets the line; made if missing (0600)");
    json(made, options->json);
    offline(made, options, new_token);
}

void Parser::add_ledger() {
    auto* ledger = command("ledger", "back up, restore, verify or claim a ledger",
                           "  weir ledger backup --data .weir backup.db\n  weir ledger verify --data .weir");
    ledger->require_subcommand(1);
    const auto add = [&](const std::string& name, const std::string& what, const std::string& examples,
                         const std::function<int(const LedgerOptions&)>& hook) {
        auto options = std::make_shared<LedgerOptions>();
        auto* made = command(name, what, examples, ledger);
        made->add_option("--data", options->data, "folder of the ledger")
            ->check(a_folder)
            ->capture_default_str();
        json(made, options->json);
        application(made, options, hook);
        return std::pair(made, options);
    };
    auto [backup, backup_options] = add("backup", "copy the ledger while it is in use",
                                        "  weir ledger backup /backups/monday.db", hooks_.ledger_backup);
    backup->add_option("FILE", backup_options->file, "where the copy goes")->required();
    auto [restore, restore_options] =
        add("restore", "put a copy back; no weir may run on the folder",
            "  weir ledger restore --data .weir /backups/monday.db", hooks_.ledger_restore);
    restore->add_option("FILE", restore_options->file, "the copy")->required();
    restore->add_flag("--force", restore_options->force, "over a ledger that is there");
    add("verify", "check a ledger from end to end", "  weir ledger verify --data .weir",
        hooks_.ledger_verify);
    auto [claim, claim_options] =
        add("claim", "say what a ledger found in another place or machine is",
            "  weir ledger claim --moved   # this is the ledger, it moved here\n"
            "  weir ledger claim --new     # this is a copy that begins a life of its own",
            hooks_.ledger_claim);
    claim
        ->add_option("--config", claim_options->config,
                     "the configuration: its data folder, and for --new the buses whose heads it begins at")
        ->check(CLI::ExistingFile);
    auto* which = claim->add_option_group("which");
    which->add_flag("--moved", claim_options->moved, "it goes on here, with the same secret");
    which->add_flag("--new", claim_options->as_new, "a new secret, positions at head");
    which->require_option(1);
}

void Parser::add_offline() {
    auto options = std::make_shared<EvalOptions>();
    auto* made =
        command("eval", "evaluate a CEL expression",
                "  weir eval 'event.data.table == \"orders\"' --data event.json\n  weir eval '1 + 2'");
    made->add_option("EXPR", options->expression, "the expression")->required();
    made->add_option("--data", options->data, "a CloudEvent, or JSON that is its data; - for stdin");
    offline(made, options, evaluate);

    auto* schedule = command("schedule", "look at schedules",
                             "  weir schedule next '0 6 * * MON-FRI' --timezone Europe/Berlin");
    schedule->require_subcommand(1);
    auto slot_options = std::make_shared<ScheduleOptions>();
    auto* next = command(
        "next", "the next slots of a cron expression",
        "  weir schedule next '30 2 * * *' --timezone Europe/Berlin --from 2026-03-28T00:00:00Z", schedule);
    next->add_option("CRON", slot_options->cron, "five fields")->required();
    next->add_option("--timezone", slot_options->timezone, "an IANA name")->capture_default_str();
    next->add_option("--count", slot_options->count, "how many")
        ->check(CLI::Range(1, 10'000))
        ->capture_default_str();
    next->add_option("--from", slot_options->from, "RFC 3339; now if not given");
    json(next, slot_options->json);
    offline(next, slot_options, next_slots);
}

void Parser::add_unbuilt() {
    for (const std::string name : {"simulate", "test", "fire", "backfill", "slots", "sources", "doctor"}) {
        auto* made = app_.add_subcommand(name, "(not built yet)");
        made->allow_extras();
        made->prefix_command();
        made->callback([this, name] { end(exit_wrong_use, "weir: `weir " + name + "` is not built yet\n"); });
    }
}

void Parser::add_help() {
    auto words = std::make_shared<std::vector<std::string>>();
    auto* help = command("help", "how a command is used", "  weir help publish\n  weir help ledger backup");
    help->add_option("COMMAND", *words, "the command");
    help->callback([this, words] {
        auto* at = &app_;
        for (const auto& word : *words) {
            at = find_command(at, word);
            if (at == nullptr)
                return end(exit_wrong_use, "weir: there is no command \"" + printable(word, 60) + "\"\n");
        }
        end(exit_done, help_of(at));
    });
    command("version", "the version of this weir", "  weir version")->callback([this] {
        end(exit_done, "weir " + hooks_.version + "\n");
    });
}

Parsed parse(int argc, const char* const* argv, const Commands& hooks) {
    Parsed parsed;
    Parser(hooks, parsed).parse(argc, argv);
    return parsed;
}

} // namespace weir::cli
