#include "workload.hpp"

#include <algorithm>
#include <cstdio>
#include <iterator>

#include <weir/base/json.hpp>
#include <weir/triggers/document.hpp>

namespace weir::bench {
namespace {

constexpr const char* domains[] = {"orders", "users", "clicks", "billing", "search", "ads",  "geo",
                                   "risk",   "media", "logs",   "hr",      "ml",     "iot",  "fleet",
                                   "stock",  "mail",  "cdn",    "auth",    "quota",  "feeds"};
constexpr const char* verbs[] = {"landed", "updated", "deleted", "validated", "published"};
constexpr const char* regions[] = {"eu-west", "eu-north", "us-east", "us-west", "ap-south", "ap-east"};
constexpr std::int64_t type_count = std::size(domains) * std::size(verbs);
constexpr std::int64_t team_count = 40;

std::string padded(std::int64_t value, int digits) {
    char text[32];
    std::snprintf(text, sizeof text, "%0*lld", digits, static_cast<long long>(value));
    return text;
}

std::string type_name(std::int64_t i) {
    return "data." + std::string(domains[i / 5]) + "." + verbs[i % 5];
}
std::string team_name(std::int64_t i) {
    return "team" + padded(i % team_count, 2);
}
std::string table_name(std::int64_t i) {
    return "lake.tbl_" + padded(i, 6);
}
std::string tenant_name(std::int64_t i) {
    return "tenant-" + padded(i, 5);
}
std::string folder_name(std::int64_t i) {
    return "s3://lake/" + team_name(i) + "/in/" + padded(i, 5) + "/";
}
/// Most events of a table carry its home type, so that class A really matches.
std::string home_type(std::int64_t table) {
    return type_name(
        static_cast<std::int64_t>((static_cast<std::uint64_t>(table) * 2654435761U >> 7) % type_count));
}
std::string quoted(const std::string& text) {
    return '"' + text + '"';
}

/// How many values each field has, for so many triggers.
struct Sizes {
    explicit Sizes(std::int64_t n)
        : a(n * 60 / 100),
          b(n * 20 / 100),
          c(n * 10 / 100),
          d(n * 5 / 100),
          e(n - a - b - c - d),
          tables(std::max<std::int64_t>(10, a)),
          tenants(std::max<std::int64_t>(5, b / 20)),
          folders(std::max<std::int64_t>(5, d / 2)) {}
    std::int64_t a, b, c, d, e;
    std::int64_t tables, tenants, folders;
};

class Conditions {
  public:
    Conditions(std::int64_t n, double pure, std::uint64_t seed)
        : sizes_(n),
          pure_(static_cast<std::int64_t>(static_cast<double>(n) * pure)),
          numbers_(seed * 1'000'003 + static_cast<std::uint64_t>(n)) {}

    std::vector<Workload::Condition> make() {
        for (std::int64_t i = 0; i < sizes_.a; ++i) {
            const auto table = numbers_.below(sizes_.tables);
            add('A', home_type(table), "event.data.table == " + quoted(table_name(table)));
        }
        for (std::int64_t i = 0; i < sizes_.b; ++i)
            range();
        for (std::int64_t i = 0; i < sizes_.c; ++i)
            either(i % 3);
        for (std::int64_t i = 0; i < sizes_.d; ++i)
            listed(i % 2 == 0);
        for (std::int64_t i = 0; i < sizes_.e; ++i)
            costly(i);
        // Shuffled: the order of classes must not help a cache.
        for (std::size_t i = out_.size(); i > 1; --i)
            std::swap(out_[i - 1],
                      out_[static_cast<std::size_t>(numbers_.below(static_cast<std::int64_t>(i)))]);
        return std::move(out_);
    }

  private:
    void add(char kind, std::string type, std::string where) {
        out_.push_back({kind, std::move(type), std::move(where)});
    }
    std::string any_type() { return type_name(numbers_.below(type_count)); }

    void range() {
        constexpr std::int64_t widths[] = {20'000, 50'000, 100'000};
        const auto low = numbers_.below(900'000);
        const auto high = low + widths[numbers_.below(3)];
        add('B', any_type(),
            "event.data.tenant == " + quoted(tenant_name(numbers_.below(sizes_.tenants))) +
                " && event.data.size >= " + std::to_string(low) + " && event.data.size < " +
                std::to_string(high));
    }

    void either(std::int64_t shape) {
        const auto t = numbers_.below(sizes_.tables), u = numbers_.below(sizes_.tables);
        const auto is = [](std::int64_t table) { return "event.data.table == " + quoted(table_name(table)); };
        const auto typed = [&](std::int64_t table) {
            return "(event.type == " + quoted(home_type(table)) + " && " + is(table) + ")";
        };
        const auto r = numbers_.below(6);
        const auto s = (r + 1 + numbers_.below(5)) % 6;
        const auto region = [](std::int64_t i) { return "event.data.region == " + quoted(regions[i]); };
        switch (shape) {
            case 0: return add('C', "", is(t) + " || " + is(u));
            case 1: return add('C', "", typed(t) + " || " + typed(u));
            default: return add('C', "", is(t) + " && (" + region(r) + " || " + region(s) + ")");
        }
    }

    void listed(bool prefix) {
        if (prefix)
            return add(
                'D', any_type(),
                "event.data.path.startsWith(" + quoted(folder_name(numbers_.below(sizes_.folders))) + ")");
        std::string list;
        for (int i = 0; i < 3; ++i)
            list += (i == 0 ? "" : ", ") + quoted(tenant_name(numbers_.below(sizes_.tenants)));
        add('D', any_type(), "event.data.tenant in [" + list + "]");
    }

    void costly(std::int64_t i) {
        std::string where;
        switch (i % 3) {
            case 0:
                where = "size(event.data.tags) == " + std::to_string(numbers_.below(6)) +
                        " && size(event.data.note) == " + std::to_string(400 + numbers_.below(3600));
                break;
            case 1:
                where = "event.data.path.matches(\"^s3://lake/" + team_name(numbers_.below(team_count)) +
                        "/in/[0-9]+/part-" + padded(numbers_.below(100'000), 5) + "[.]parquet$\")";
                break;
            default:
                where = "double(event.data.rows) * 3.0 + double(event.data.attempt) == " +
                        std::to_string(numbers_.below(30'000'000)) + ".0";
        }
        add('E', i < pure_ ? std::string() : any_type(), where);
    }

    Sizes sizes_;
    std::int64_t pure_;
    Numbers numbers_;
    std::vector<Workload::Condition> out_;
};

events::Event make_event(std::int64_t i, const Sizes& sizes, Numbers& numbers) {
    const auto table = numbers.below(sizes.tables);
    events::Event event;
    event.id = "e" + std::to_string(i);
    event.type = numbers.percent(85) ? home_type(table) : type_name(numbers.below(type_count));
    event.source = "/lake/" + team_name(numbers.below(team_count));
    event.datacontenttype = "application/json";
    event.data_kind = events::DataKind::Json;
    std::string tags;
    for (auto n = numbers.below(6); n > 0; --n)
        tags += (tags.empty() ? "\"t" : ",\"t") + std::to_string(numbers.below(9)) + '"';
    event.data = "{\"table\":" + quoted(table_name(table)) +
                 ",\"tenant\":" + quoted(tenant_name(numbers.below(sizes.tenants))) +
                 ",\"region\":" + quoted(regions[numbers.below(6)]) +
                 ",\"size\":" + std::to_string(numbers.below(1'000'000)) +
                 ",\"rows\":" + std::to_string(numbers.below(10'000'000)) +
                 ",\"attempt\":" + std::to_string(numbers.below(4)) + ",\"path\":" +
                 quoted(folder_name(numbers.below(sizes.folders)) + "part-" +
                        padded(numbers.below(100'000), 5) + ".parquet") +
                 ",\"tags\":[" + tags +
                 "],\"note\":" + quoted(std::string(static_cast<std::size_t>(numbers.below(64)), 'x')) + "}";
    return event;
}

} // namespace

Workload make_workload(std::int64_t triggers, std::int64_t events, double pure, std::uint64_t seed) {
    Workload out;
    out.conditions = Conditions(triggers, pure, seed).make();
    const Sizes sizes(triggers);
    Numbers numbers(seed + 99);
    for (std::int64_t i = 0; i < events; ++i)
        out.events.push_back(make_event(i, sizes, numbers));
    return out;
}

Result<std::vector<std::shared_ptr<const triggers::CompiledTrigger>>> make_triggers(const Workload& workload,
                                                                                    bool type_in_pattern) {
    std::vector<std::shared_ptr<const triggers::CompiledTrigger>> out;
    std::int64_t n = 0;
    for (const auto& condition : workload.conditions) {
        auto where = condition.where;
        if (!type_in_pattern && !condition.type.empty())
            where = "event.type == " + quoted(condition.type) + " && " + where;
        const auto pattern = type_in_pattern && !condition.type.empty() ? condition.type : std::string("*");
        const auto text = "{\"trigger\":\"t" + std::to_string(n++) +
                          "\",\"team\":\"bench\",\"when\":{\"event\":" + json_string(pattern) +
                          ",\"where\":" + json_string(where) + "},\"launch\":{\"flow\":\"sink\"}}";
        Problems problems;
        auto read = triggers::read_triggers(text, "workload", problems);
        if (read.size() != 1)
            return internal("the workload's trigger does not read: " + problems.front().to_string());
        auto compiled = triggers::compile(read.front(), problems);
        if (!compiled)
            return internal("the workload's trigger does not compile: " + problems.front().to_string());
        out.push_back(triggers::CompiledTrigger::stored(std::move(read.front())));
    }
    return out;
}

} // namespace weir::bench
