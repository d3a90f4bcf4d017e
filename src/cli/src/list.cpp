#include <algorithm>
#include <functional>
#include <map>

#include <nlohmann/json.hpp>

#include <weir/base/text.hpp>
#include <weir/cli/cli.hpp>

#include "answer.hpp"
#include "commands.hpp"
#include "table.hpp"

namespace weir::cli {
namespace {

using Json = nlohmann::json;

struct Column {
    ColumnStyle style;
    std::function<std::string(const Json&)> text;
};

/// How one kind of listing looks, and by what its items are told apart while watching.
struct View {
    std::vector<Column> columns;
    std::vector<std::string> identity;
    bool by_seq = false; ///< rows never change: watching asks for what came after
};

Column plain(std::string title, std::string name, bool shrinks = false, int drops = 0) {
    return {{std::move(title), shrinks, drops},
            [name = std::move(name)](const Json& item) { return cell(item, name); }};
}

Column when(std::string title, std::string name, int drops = 0) {
    return {{std::move(title), false, drops},
            [name = std::move(name)](const Json& item) { return time_cell(item, name); }};
}

/// "ads/train" from two members.
Column full_name(std::string title, std::string team, std::string name) {
    return {{std::move(title), true}, [team = std::move(team), name = std::move(name)](const Json& item) {
                const auto of = cell(item, name);
                return of.empty() ? std::string() : cell(item, team) + "/" + of;
            }};
}

std::string run_state(const Json& item) {
    const auto outcome = cell(item, "outcome");
    const auto hold = cell(item, "hold");
    auto state = !outcome.empty() ? outcome : cell(item, "state") + (hold.empty() ? "" : " (" + hold + ")");
    const auto attempt = item.find("attempt");
    if (attempt != item.end() && attempt->is_number_integer() && attempt->get<int>() > 1)
        state += ", attempt " + std::to_string(attempt->get<int>());
    return state;
}

/// What a run says, or what its launch waits for.
std::string run_reason(const Json& item) {
    const auto waiting = item.find("waiting");
    if (waiting == item.end() || !waiting->is_object()) return cell(item, "reason");
    return cell(*waiting, "reason");
}

std::string event_note(const Json& item) {
    std::string out;
    const auto add = [&](std::string_view word) { out += (out.empty() ? "" : ", ") + std::string(word); };
    if (item.value("conflicting", false)) {
        add("conflicting duplicate");
    } else if (item.contains("duplicate_of") && !item["duplicate_of"].is_null()) {
        add("duplicate");
    }
    if (item.value("echo", false)) add("echo");
    return out;
}

std::string parameter_names(const Json& item) {
    std::string out;
    if (!item.contains("parameters") || !item["parameters"].is_array()) return out;
    for (const auto& parameter : item["parameters"]) {
        out += (out.empty() ? "" : ", ") + cell(parameter, "name") + ": " + cell(parameter, "type");
    }
    return out;
}

std::string trigger_state(const Json& item) {
    const auto reason = cell(item, "state_reason");
    return cell(item, "state") + (reason.empty() ? "" : " (" + reason + ")");
}

View view_of(const std::string& what) {
    if (what == "runs") {
        return {{plain("RUN", "run"),
                 full_name("FLOW", "flow_team", "flow"),
                 {{"STATE", false}, run_state},
                 plain("TRIGGER", "trigger", true, 2),
                 when("CREATED", "created_at"),
                 when("FINISHED", "finished_at", 3),
                 Column{{"REASON", true, 1}, run_reason}},
                {"run"},
                false};
    }
    if (what == "triggers") {
        return {{full_name("TRIGGER", "team", "trigger"),
                 plain("VERSION", "version"),
                 {{"STATE", true}, trigger_state},
                 plain("FIRED", "fired"),
                 when("NEXT SLOT", "next_slot"),
                 when("APPLIED", "applied_at")},
                {"team", "trigger"},
                false};
    }
    if (what == "flows") {
        return {{full_name("FLOW", "team", "flow"),
                 plain("VERSION", "version"),
                 plain("BACKEND", "backend"),
                 when("APPLIED", "applied_at"),
                 {{"PARAMETERS", true}, parameter_names}},
                {"team", "flow"},
                false};
    }
    if (what == "events") {
        return {{when("ARRIVED", "arrived_at"),
                 plain("TYPE", "type", true),
                 plain("SOURCE", "source", true),
                 plain("ID", "id", true),
                 plain("SUBJECT", "subject", true),
                 {{"NOTE", false}, event_note}},
                {"seq"},
                true};
    }
    if (what == "decisions") {
        return {{when("AT", "at"), full_name("TRIGGER", "team", "trigger"), plain("VERDICT", "verdict"),
                 plain("REASON", "reason"), plain("RUN", "run", false, 1), plain("DETAIL", "detail", true)},
                {"decision"},
                true};
    }
    if (what == "streams") {
        return {{plain("STREAM", "stream", true), plain("KIND", "kind"), plain("STATE", "state"),
                 plain("READ UP TO", "position"), plain("DURABILITY", "durability", false, 1),
                 plain("DETAIL", "detail", true)},
                {"stream"},
                false};
    }
    if (what == "dead-letters") {
        return {{plain("DEAD LETTER", "dead_letter"), when("ARRIVED", "arrived_at"),
                 plain("STREAM", "stream", true), plain("POSITION", "position"), plain("BYTES", "bytes"),
                 when("REPLAYED", "replayed_at", 1), plain("REASON", "reason", true)},
                {"dead_letter"},
                true};
    }
    return {{when("AT", "at"), plain("PRINCIPAL", "principal", true), plain("ACTION", "action"),
             plain("TARGET", "target", true), plain("REASON", "reason", true)},
            {"seq", "action", "target"},
            true};
}

/// Prints items as they come, with the titles once.
class Printer {
  public:
    Printer(const Environment& environment, const View& view, bool json)
        : environment_(environment), view_(view), json_(json), table_(styles(view)) {}

    void show(const std::vector<std::string>& lines) {
        for (const auto& line : lines) {
            if (json_) {
                print(line + "\n");
                continue;
            }
            const auto item = Json::parse(line, nullptr, false);
            if (!item.is_object()) continue;
            std::vector<std::string> row;
            for (const auto& column : view_.columns)
                row.push_back(column.text(item));
            table_.add(std::move(row));
        }
        if (json_ || table_.empty()) return;
        print(table_.render(environment_.width, !titled_));
        titled_ = true;
    }
    [[nodiscard]] bool shown_anything() const { return titled_ || json_; }

  private:
    static std::vector<ColumnStyle> styles(const View& view) {
        std::vector<ColumnStyle> out;
        for (const auto& column : view.columns)
            out.push_back(column.style);
        return out;
    }

    const Environment& environment_;
    const View& view_;
    const bool json_;
    Table table_;
    bool titled_ = false;
};

Parameters with(Parameters parameters, const std::string& name, const std::string& value) {
    parameters.emplace_back(name, value);
    return parameters;
}

/// Pages from `parameters` on until `limit` lines are there or all are shown. `after` is the last page's.
Result<ListPage> read_all(Client& client, const ListOptions& options, const Parameters& parameters,
                          std::size_t limit) {
    ListPage all;
    while (true) {
        const auto want = std::min<std::size_t>(limit - all.lines.size(), 1000);
        auto ask = with(parameters, "limit", std::to_string(want));
        if (!all.next.empty()) ask.emplace_back("page", all.next);
        WEIR_ASSIGN(reply, client.get("/v1/" + options.what, ask));
        WEIR_ASSIGN(page, read_page(reply.body));
        for (auto& line : page.lines)
            all.lines.push_back(std::move(line));
        all.next = std::move(page.next);
        all.after = page.after;
        if (all.next.empty() || all.lines.size() >= limit) return all;
    }
}

std::string identity_of(const View& view, const std::string& line) {
    const auto item = Json::parse(line, nullptr, false);
    std::string out;
    for (const auto& name : view.identity)
        out += (item.is_object() ? cell(item, name) : line) + "\n";
    return out;
}

/// What is new or changed since the last look. Rows that never change are asked for by seq; others are looked
/// at again, newest first, and told apart by their text.
class Watch {
  public:
    Watch(Client& client, const ListOptions& options, const View& view)
        : client_(client), options_(options), view_(view) {}

    /// Oldest first.
    Result<std::vector<std::string>> look() {
        const bool follow = view_.by_seq && after_ > 0;
        const auto parameters =
            follow ? with(options_.filters, "after", std::to_string(after_)) : options_.filters;
        // Everything that came, however much, is shown; a first look shows the newest.
        WEIR_ASSIGN(page, read_all(client_, options_, parameters, follow ? SIZE_MAX : options_.limit));
        after_ = std::max(after_, page.after);
        if (!follow) std::reverse(page.lines.begin(), page.lines.end());
        if (view_.by_seq) return page.lines;
        std::vector<std::string> fresh;
        for (auto& line : page.lines) {
            auto& known = seen_[identity_of(view_, line)];
            if (known == line) continue;
            known = line;
            fresh.push_back(line);
        }
        return fresh;
    }

  private:
    Client& client_;
    const ListOptions& options_;
    const View& view_;
    std::int64_t after_ = 0;
    std::map<std::string, std::string> seen_;
};

} // namespace

Result<int> list(const Environment& environment, const ListOptions& options) {
    WEIR_ASSIGN(client, Client::open(environment));
    const auto view = view_of(options.what);
    Printer printer(environment, view, options.json);
    if (!options.watch) {
        WEIR_ASSIGN(page, read_all(*client, options, options.filters, options.limit));
        printer.show(page.lines);
        if (!printer.shown_anything())
            note("no " + (options.what == "dead-letters" ? std::string("dead letters") : options.what) +
                 " match");
        if (!page.next.empty() && environment.stderr_is_terminal)
            note("there are more; --limit N shows them, --since narrows");
        return exit_done;
    }
    Watch watch(*client, options, view);
    while (true) {
        auto lines = watch.look();
        if (!lines.ok() && lines.error().kind == ErrorKind::Cancelled) return exit_done;
        if (!lines.ok()) return lines.error();
        printer.show(*lines);
        std::fflush(stdout);
        if (environment.interrupt.wait(options.interval)) return exit_done;
    }
}

} // namespace weir::cli
