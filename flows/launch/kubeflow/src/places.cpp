// Runs of watched places: what ended there since the last look.

#include <algorithm>

#include <weir/base/log.hpp>
#include <weir/base/text.hpp>

#include "create_run.hpp"
#include "place.hpp"
#include "query.hpp"

namespace weir::flows::kubeflow {

namespace {

constexpr std::size_t late_page_min = 25; ///< a list that is late is not so because of fewer runs

} // namespace

void Watch::begin() {
    const Instant since = options_.watch.since.value_or(clock_.now() - options_.watch.overlap);
    for (const WatchedPlace& at : options_.watch.places) {
        const Binding* binding = find_binding(options_, at.team);
        if (binding == nullptr) continue; // check_options() has said so
        auto place = std::make_unique<Place>();
        place->at = at;
        place->view = {binding->user, binding->namespace_};
        place->cursor = place->from = at.since.value_or(since);
        place->due = clock_.steady_now();
        places_.push_back(std::move(place));
    }
    if (!places_.empty()) wake(clock_.steady_now());
}

bool Watch::places_due(SteadyInstant now) {
    Place* best = nullptr;
    for (const auto& place : places_)
        if (!place->asked && place->due <= now && (best == nullptr || place->due < best->due))
            best = place.get();
    if (best == nullptr) return false;
    best->asked = true;
    ask_place(*best);
    return true;
}

void Watch::ask_place(Place& place) {
    if (place.at.experiment.empty() || !place.experiment_id.empty()) return list_place(place);
    pace_.took(clock_.steady_now());
    lookups_.experiment(place.view, place.at.experiment, false,
                        [this, &place](const Found<Experiment>& found) {
                            place.asked = false;
                            auto pause = Duration(0);
                            if (found.value) {
                                place.experiment_id = found.value->id;
                            } else {
                                // One that is not there yet may be made any time.
                                pause = std::max(Duration(options_.watch.places_interval), found.retry_after);
                                fault(place.name(), found.reason);
                            }
                            place.due = clock_.steady_now() + pause;
                            wake(place.due);
                        });
}

void Watch::list_place(Place& place) {
    Query query;
    query.add("page_size", std::to_string(place.page.now()))
        .add("namespace", place.view.namespace_)
        .add("experiment_id", place.experiment_id);
    if (place.token.empty()) {
        place.newest = place.cursor;
        ++place.round;
        Filter filter;
        filter.not_before("finished_at", place.from - options_.watch.overlap);
        filter.one_of("state", terminal_states());
        query.add("sort_by", "finished_at asc").filter(filter.json());
    } else {
        // The token carries filter and order, and the server refuses them beside it; not the place.
        query.add("page_token", place.token);
    }
    Call call;
    call.what = "ListRuns";
    call.path = "/runs" + query.text();
    call.user = place.view.user;
    request(std::move(call), [this, &place](const Answer& answer) { place_answered(place, answer); });
}

void Watch::place_answered(Place& place, const Answer& answer) {
    place.asked = false;
    auto page = read_run_page(answer.good() ? answer.body : "");
    if (!answer.good() || !page.ok()) return place_failed(place, answer);
    place.page.worked();
    well(place.name());
    for (const RunView& run : page->runs) {
        place.newest = std::max(place.newest, run.finished);
        foreign(place, run);
    }
    place.token = page->next_token;
    if (place.token.empty()) return place_listed(place);
    place.due = clock_.steady_now(); // the next page, as the pace allows
}

void Watch::place_failed(Place& place, const Answer& answer) {
    const auto now = clock_.steady_now();
    const bool oversize = answer.kind == Kind::Oversize;
    const bool smaller = (oversize || answer.timed_out) && place.page.now() > 1;
    if (smaller) place.page.failed(place.page.now(), oversize ? 1 : late_page_min);
    if (oversize && smaller) {
        place.due = now; // the same page, of fewer runs
        return;
    }
    if (!oversize) place.token.clear();
    if (answer.kind == Kind::Missing) place.experiment_id.clear();
    fault(place.name(), oversize ? answer.reason + "; it is of one run: what ended there after it waits"
                        : answer.good() ? "the answer is no list of runs"
                                        : answer.reason);
    place.due = now + std::max(Duration(options_.watch.places_interval), answer.retry_after);
}

/// What is not recorded yet is listed again, and told again.
void Watch::place_listed(Place& place) {
    // A clock ahead of ours must not make the next listing begin too late.
    place.cursor = std::max(place.cursor, std::min(place.newest, clock_.now()));
    place.from = place.cursor;
    // Deleted, or running again: there is no end to be told of.
    std::erase_if(place.told,
                  [&](const auto& one) { return !one.second.recorded && one.second.round != place.round; });
    for (const auto& [id, told] : place.told)
        if (!told.recorded) place.from = std::min(place.from, told.finished);
    const Instant old = place.from - 2 * options_.watch.overlap;
    std::erase_if(place.told,
                  [&](const auto& one) { return one.second.recorded && one.second.finished < old; });
    place.due = clock_.steady_now() + options_.watch.places_interval;
    if (place.done && *place.done >= place.from) return;
    place.done = place.from;
    if (place_done_) place_done_(place.at, place.from);
}

/// Attempts of this run up to `attempt` are on record; 0: all of which was told.
void Watch::recorded(RunId run, int attempt) {
    if (places_.empty()) return;
    const std::string id = run.to_string();
    for (const auto& place : places_)
        if (const auto told = place->told.find(id); told != place->told.end())
            told->second.recorded = told->second.recorded || attempt == 0 || attempt >= told->second.attempts;
}

void Watch::foreign(Place& place, const RunView& run) {
    const auto id = Uuid::parse(run.id);
    if (!id.ok()) return; // an id that a client chose by its own rules: weir's records have no place for it
    const RunId run_id{*id};
    if (tracked_.contains(run_id)) return observe(run_id, run, false);
    const AttemptView newest = attempts_of(run).back();
    Place::Told& told = place.told[run.id];
    told.round = place.round;
    const bool news = newest.number > told.attempts || newest.note != told.note;
    const auto now = clock_.steady_now();
    if (!news && told.recorded) return;
    if (now < told.again && !(news && told.recorded)) return; // it is on its way
    told.finished = run.finished;
    told.recorded = false;
    told.again = now + std::max<Duration>(options_.watch.places_interval, options_.timeouts.retry_max);
    // Also what says that it is weir's own: anybody can say so, and another weir does. Whoever has the
    // records knows by the id.
    const auto tell_it = [this, &place, run](const std::string& pipeline) {
        complete(views_.index_of(place.view), run, [this, &place, pipeline](const RunView& full) {
            if (!tracked_.contains(RunId{*Uuid::parse(full.id)})) tell_foreign(place, full, pipeline);
        });
    };
    if (run.pipeline_id.empty()) return tell_it({});
    lookups_.pipeline_name(place.view, run.pipeline_id, [tell_it](const Found<std::string>& name) {
        if (name.value) tell_it(*name.value); // else the next listing has the run again
    });
}

void Watch::tell_foreign(Place& place, const RunView& run, const std::string& pipeline) {
    const auto attempts = attempts_of(run);
    Place::Told& told = place.told[run.id];
    // Told again after a while without a record: all of it.
    const int from = told.attempts < attempts.back().number ? told.attempts + 1 : attempts.back().number;
    for (const AttemptView& attempt : attempts) {
        if (!attempt.settled || attempt.number < from) continue;
        const bool newest = attempt.number == attempts.back().number;
        RunReport report = report_of(RunId{*Uuid::parse(run.id)}, run, attempt, nullptr);
        if (!newest) {
            report.outputs_json = "{}";
            report.outputs.clear();
        }
        SeenRun seen;
        seen.backend = options_.name;
        seen.team = place.at.team;
        seen.pipeline_id = run.pipeline_id;
        seen.pipeline = pipeline;
        seen.version_id = run.version_id;
        seen.display_name = run.display_name;
        seen.namespace_ = place.view.namespace_;
        seen.experiment = place.at.experiment.empty() ? run.experiment_id : place.at.experiment;
        seen.arguments_json = run.arguments_json;
        seen.created = run.created;
        report.seen = std::move(seen);
        tell(std::move(report));
    }
    told.attempts = attempts.back().number;
    told.note = attempts.back().note;
    told.finished = run.finished;
}

} // namespace weir::flows::kubeflow
