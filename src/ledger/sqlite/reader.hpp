#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include <weir/ledger/reader.hpp>

#include "sqlite/connection.hpp"
#include "sqlite/identity.hpp"
#include "sqlite/rows.hpp"
#include "src/page.hpp"

namespace weir::ledger::sqlite {

/// One connection for reading with what belongs to it.
struct ReadSession {
    explicit ReadSession(std::unique_ptr<Connection> made) : connection(std::move(made)), rows(*connection) {}
    std::unique_ptr<Connection> connection;
    Rows rows;
};

/// The conditions of a listing as SQL, with the values bound in the same order.
class Filter {
  public:
    void add(const std::string& condition) { sql_ += (sql_.empty() ? " WHERE " : " AND ") + condition; }
    void add(const std::string& condition, std::int64_t value);
    /// One `?` of the condition stands for a text that must outlive the filter.
    void add_text(const std::string& condition, std::string_view text);
    [[nodiscard]] const std::string& sql() const { return sql_; }
    void bind(Statement& statement) const;

  private:
    struct Value {
        bool is_text = false;
        std::int64_t number = 0;
        std::string_view text;
    };
    std::string sql_;
    std::vector<Value> values_;
};

/// The reading side over a pool of connections, opened when first needed. Each call is one read transaction,
/// so what it returns belongs together. Limits: `connections_max` reads at once; further callers wait.
class SqliteReader final : public LedgerReader {
  public:
    SqliteReader(ConnectionOptions options, std::size_t connections_max, std::string seen_key)
        : options_(std::move(options)), connections_max_(connections_max), seen_key_(std::move(seen_key)) {}
    ~SqliteReader() override { close(); }
    /// Waits for running reads; later ones are `cancelled`.
    void close();

    Result<Page<RunRow>> runs(const Query& query) override;
    Result<Page<DecisionRow>> decisions(const Query& query) override;
    Result<Page<InputRow>> events(const Query& query) override;
    Result<Page<TriggerRow>> triggers(const Query& query) override;
    Result<Page<FlowVersionRow>> flows(const Query& query) override;
    Result<Page<AuditRow>> audits(const Query& query) override;

    Result<RunRow> run(const RunId& id) override;
    Result<RunRow> run(RunNo no) override;
    Result<std::vector<AttemptRow>> attempts(RunNo run) override;
    Result<DecisionRow> decision(DecisionNo no) override;
    Result<DecisionRow> decision(const DecisionId& id) override;
    Result<RunRow> run_of(DecisionNo decision) override;
    Result<InputRow> input(Seq seq) override;
    Result<std::vector<InputRow>> events_by_id(std::string_view id, std::string_view source) override;
    Result<std::vector<TriggerVersionRow>> trigger_versions(std::string_view team,
                                                            std::string_view name) override;
    Result<std::vector<TriggerVersionRow>> trigger_versions(TriggerNo no) override;
    Result<std::vector<TriggerStateRow>> trigger_states(TriggerNo no) override;
    Result<std::vector<FlowVersionRow>> flow_versions(std::string_view team, std::string_view flow) override;
    Result<std::vector<TimerSetRow>> open_timers(TriggerNo no) override;

    Result<std::vector<std::pair<Seq, DecisionNo>>> decisions_of_events(std::span<const Seq> events) override;
    Result<std::vector<DecisionRow>> decisions_by_no(std::span<const DecisionNo> decisions) override;
    Result<std::vector<RunRow>> runs_of_decisions(std::span<const DecisionNo> decisions) override;
    Result<std::vector<RunRow>> runs_by_no(std::span<const RunNo> runs) override;
    Result<std::vector<std::pair<RunNo, Seq>>> settlements_of_runs(std::span<const RunNo> runs) override;
    Result<std::vector<std::pair<Seq, RunNo>>> runs_of_settlements(std::span<const Seq> settlements) override;
    Result<std::vector<InputRow>> inputs_by_seq(std::span<const Seq> seqs) override;
    Result<std::vector<ArtifactEdge>> artifacts_of_runs(std::span<const RunNo> runs) override;
    Result<std::vector<ArtifactEdge>> runs_of_artifact(std::string_view uri) override;

    Result<std::vector<HeldRow>> held_of(Seq event, TriggerNo trigger) override;
    Result<std::vector<HeldRow>> held_at(TriggerNo trigger, Seq at) override;
    Result<std::vector<DecisionRow>> decisions_at(Seq seq, TriggerNo trigger) override;

    Result<std::vector<InputRow>> inputs_from(Seq from, std::size_t limit) override;
    Result<CountRow> counts() override;
    Result<Seq> head() override;
    Result<std::vector<GapRow>> gaps() override;
    Result<std::vector<StreamState>> streams() override;
    Result<std::vector<WatchedRow>> watched() override;
    Result<Page<DeadLetterRow>> dead_letters(const Query& query) override;
    Result<DeadLetterRow> dead_letter(DeadLetterNo no) override;
    Result<std::vector<UncountedRow>> uncounted(Instant from, Instant until) override;

  private:
    Result<std::unique_ptr<ReadSession>> acquire();
    void release(std::unique_ptr<ReadSession> session);
    template <class Use>
    auto read(Use use) -> decltype(use(std::declval<ReadSession&>()));

    const ConnectionOptions options_;
    const std::size_t connections_max_;
    const std::string seen_key_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<std::unique_ptr<ReadSession>> idle_;
    std::size_t open_ = 0; ///< idle ones and those lent
    bool closed_ = false;
};

template <class Use>
auto SqliteReader::read(Use use) -> decltype(use(std::declval<ReadSession&>())) {
    auto session = acquire();
    if (!session.ok()) return session.error();
    auto result = [&]() -> decltype(use(std::declval<ReadSession&>())) {
        WEIR_ASSIGN(transaction, Transaction::begin(*(*session)->connection, false));
        return use(**session);
    }();
    release(std::move(session).value());
    return result;
}

/// First input at or after `time`; next_seq if there is none.
Result<std::int64_t> first_seq_at(Connection& connection, Instant time);
/// First number whose row is of input `seq` or later; one past the last if there is none. Numbers rise with
/// seq.
Result<std::int64_t> first_run_at(Connection& connection, std::int64_t seq);
Result<std::int64_t> first_decision_at(Connection& connection, std::int64_t seq);
/// Inputs that may have this event id (to be verified), newest first, at most 10,000.
Result<std::vector<std::int64_t>> inputs_of_id(Connection& connection, std::string_view seen_key,
                                               std::string_view id);

} // namespace weir::ledger::sqlite
