#include "listing.hpp"

#include <algorithm>
#include <charconv>
#include <limits>

#include <weir/base/text.hpp>

#include "filter.hpp"
#include "json.hpp"
#include "messages.hpp"

namespace weir::facade {
namespace {

constexpr std::size_t page_size_default = 20;
constexpr std::size_t page_size_max = 200;
constexpr std::size_t token_bytes_max = 64 * 1024;

int hex_value(char c) noexcept {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

std::string to_hex_text(std::string_view bytes) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string out;
    out.reserve(bytes.size() * 2);
    for (const char c : bytes) {
        const auto byte = static_cast<unsigned char>(c);
        out += digits[byte >> 4];
        out += digits[byte & 15];
    }
    return out;
}

std::optional<std::string> from_hex_text(std::string_view text) {
    if (text.size() % 2 != 0) return std::nullopt;
    std::string out;
    for (std::size_t i = 0; i < text.size(); i += 2) {
        const int high = hex_value(text[i]), low = hex_value(text[i + 1]);
        if (high < 0 || low < 0) return std::nullopt;
        out += static_cast<char>(high * 16 + low);
    }
    return out;
}

struct Order {
    std::size_t key = 0;
    bool falling = false;
    [[nodiscard]] bool operator==(const Order&) const = default;
};

/// Where a page ended, and what it was a page of.
struct Token {
    Order order;
    std::string filter;
    std::string text; ///< the last row's value, if it is a text
    std::int64_t ns = 0;
    std::string id;
};

Outcome<std::size_t> key_of(const ListSchema& schema, std::string_view name) {
    for (std::size_t i = 0; i < schema.keys.size(); ++i)
        if (schema.keys[i].name == name && schema.keys[i].sorts) return i;
    return invalid_fault("Invalid sorting field: \"" + printable(name, 80) + "\" on listable type " +
                         std::string(schema.type));
}

Outcome<Order> read_order(const ListSchema& schema, const std::string& sort_by) {
    std::vector<std::string> words;
    for (std::size_t at = 0; at < sort_by.size();) {
        const auto end = std::min(sort_by.find(' ', at), sort_by.size());
        if (end > at) words.push_back(sort_by.substr(at, end - at));
        at = end + 1;
    }
    if (words.empty()) words = {"created_at"};
    if (words.size() > 2 || (words.size() == 2 && words[1] != "asc" && words[1] != "desc"))
        return invalid_fault(
            "Received invalid sort by format \"" + printable(sort_by, 80) +
            "\". Supported format: \"field_name\", \"field_name desc\", or \"field_name asc\"");
    WEIR_ASSIGN(key, key_of(schema, words[0]));
    return Order{key, words.size() == 2 && words[1] == "desc"};
}

Outcome<Token> read_token(const ListSchema& schema, const std::string& text) {
    const auto refuse = [] {
        return invalid_fault("Invalid package token: it came from no page of this list");
    };
    if (text.size() > token_bytes_max) return refuse();
    const auto bytes = from_hex_text(text);
    if (!bytes) return refuse();
    const auto json = Json::parse(*bytes, nullptr, false);
    if (!json.is_object()) return refuse();
    Token token;
    auto key = key_of(schema, text_of(json, "sort"));
    if (!key.ok()) return refuse();
    token.order = {*key, json.value("desc", false)};
    token.filter = text_of(json, "filter");
    token.text = text_of(json, "text");
    token.id = text_of(json, "id");
    const auto ns = json.find("ns");
    if (ns != json.end() && ns->is_number_integer()) token.ns = ns->get<std::int64_t>();
    return token;
}

std::string write_token(const ListSchema& schema, const Token& token) {
    const Json json{{"sort", schema.keys[token.order.key].name},
                    {"desc", token.order.falling},
                    {"filter", token.filter},
                    {"text", token.text},
                    {"ns", token.ns},
                    {"id", token.id}};
    return to_hex_text(to_text(json));
}

Outcome<std::size_t> read_page_size(const std::string& text) {
    if (text.empty()) return page_size_default;
    std::int32_t size = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), size);
    if (read.ec != std::errc() || read.ptr != text.data() + text.size())
        return gateway_fault(Code::Invalid, "parsing field \"page_size\": parsing \"" + printable(text, 40) +
                                                "\": invalid syntax");
    if (size < 0)
        return invalid_fault("The page size should be greater than 0. Got \"" + std::to_string(size) + "\"");
    return size == 0 ? page_size_default
                     : std::min<std::size_t>(static_cast<std::size_t>(size), page_size_max);
}

int compare(const Cell& a, const Cell& b) {
    if (const auto* left = std::get_if<std::int64_t>(&a)) {
        const auto right = std::get<std::int64_t>(b);
        return *left == right ? 0 : *left < right ? -1 : 1;
    }
    return compare_texts(std::get<std::string_view>(a), std::get<std::string_view>(b));
}

struct Plan {
    Order order;
    std::string filter;
    std::vector<Predicate> predicates;
    std::optional<Token> after;
    std::size_t page_size = page_size_default;
};

Outcome<Plan> read_plan(const ListSchema& schema, const ListRequest& request) {
    Plan plan;
    WEIR_ASSIGN(page_size, read_page_size(request.page_size));
    plan.page_size = page_size;
    plan.filter = request.filter;
    if (!request.page_token.empty()) {
        WEIR_ASSIGN(token, read_token(schema, request.page_token));
        bool same = request.filter.empty() || request.filter == token.filter;
        if (!request.sort_by.empty()) {
            WEIR_ASSIGN(order, read_order(schema, request.sort_by));
            same = same && order == token.order;
        }
        if (!same)
            return invalid_fault(
                "page token does not match the supplied sort by and/or filtering criteria. "
                "Either specify the same criteria or leave the latter empty if page token is "
                "specified");
        plan.order = token.order;
        plan.filter = token.filter;
        plan.after = std::move(token);
    } else {
        WEIR_ASSIGN(order, read_order(schema, request.sort_by));
        plan.order = order;
    }
    if (plan.filter.empty()) return plan;
    WEIR_ASSIGN(predicates, read_filter(schema, plan.filter));
    plan.predicates = std::move(predicates);
    return plan;
}

} // namespace

std::optional<std::string> query_unescape(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '+') {
            out += ' ';
        } else if (text[i] != '%') {
            out += text[i];
        } else {
            const int high = i + 2 < text.size() ? hex_value(text[i + 1]) : -1;
            const int low = i + 2 < text.size() ? hex_value(text[i + 2]) : -1;
            if (high < 0 || low < 0) return std::nullopt;
            out += static_cast<char>(high * 16 + low);
            i += 2;
        }
    }
    return out;
}

Outcome<ListPage> list_rows(const ListSchema& schema, const ListRequest& request, std::size_t count,
                            const std::function<Cell(std::size_t row, std::size_t key)>& cell) {
    auto read = read_plan(schema, request);
    if (!read.ok()) return read.error().in("Failed to create list options");
    const auto& plan = *read;
    std::size_t id = 0;
    for (std::size_t i = 0; i < schema.keys.size(); ++i)
        if (schema.keys[i].name == schema.id) id = i;

    std::vector<std::size_t> found;
    for (std::size_t row = 0; row < count; ++row) {
        const bool fits =
            std::all_of(plan.predicates.begin(), plan.predicates.end(),
                        [&](const Predicate& each) { return meets(each, cell(row, each.key)); });
        if (fits) found.push_back(row);
    }
    const auto order = [&](const Cell& value, const Cell& row_id, std::size_t other) {
        int by = compare(value, cell(other, plan.order.key));
        if (by == 0) by = compare(row_id, cell(other, id));
        return plan.order.falling ? -by : by;
    };
    std::sort(found.begin(), found.end(), [&](std::size_t a, std::size_t b) {
        return order(cell(a, plan.order.key), cell(a, id), b) < 0;
    });
    ListPage page;
    page.total = found.size();
    auto first = found.begin();
    if (plan.after) {
        const auto& after = *plan.after;
        const Cell last =
            schema.keys[plan.order.key].is_time ? Cell(after.ns) : Cell(std::string_view(after.text));
        first = std::find_if(found.begin(), found.end(), [&](std::size_t row) {
            return order(last, std::string_view(after.id), row) < 0;
        });
    }
    const auto left = static_cast<std::size_t>(found.end() - first);
    page.rows.assign(first, first + static_cast<std::ptrdiff_t>(std::min(left, plan.page_size)));
    if (left <= plan.page_size) return page;
    Token token{plan.order, plan.filter, {}, 0, {}};
    const auto last = cell(page.rows.back(), plan.order.key);
    if (const auto* ns = std::get_if<std::int64_t>(&last))
        token.ns = *ns;
    else
        token.text = std::get<std::string_view>(last);
    token.id = std::get<std::string_view>(cell(page.rows.back(), id));
    page.next = write_token(schema, token);
    return page;
}

} // namespace weir::facade
