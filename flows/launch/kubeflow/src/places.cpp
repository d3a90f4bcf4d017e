// Runs of watched places: what ended there since the last look.

#include <algorithm>

#include <weir/base/log.hpp>
#include <weir/base/text.hpp>

#include "create_run.hpp"
#include "place.hpp"
#include "query.hpp"

namespace weir::flows::kubeflow {

void Watch::begin() {
    const Instant since = options_.watch.since.value_or(clock_.now() - options_.watch.overlap);
    for (const WatchedPlace& at : options_.watch.places) {
        const Binding* binding = find_binding(options_, at.team);
        if (binding == nullptr) continue; // check_options() has said so
        auto place = std::make_unique<Place>();
        place->at = at;
        place->view = {binding->user, binding->namespace_};
        place->cursor = since;
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
    lookups_.experiment(
        place.view, place.at.experiment, false, [this, &place](const Found<Experiment>& found) {
            place.asked = false;
            if (found.value) place.experiment_id = found.value->id;
            // One that is not there yet may be made any time.
            place.due = clock_.steady_now() + (found.value ? Duration(0) : options_.watch.places_interval);
            wake(place.due);
        });
}

void Watch::list_place(Place& place) {
    Query query;
    query.add("page_size", "200")
        .add("namespace", place.view.namespace_)
        .add("experiment_id", place.experiment_id);
    if (place.token.empty()) {
        place.newest = place.cursor;
        Filter filter;
        filter.not_before("finished_at", place.cursor - options_.watch.overlap);
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
    const auto now = clock_.steady_now();
    auto page = read_run_page(answer.good() ? answer.body : "");
    if (!answer.good() || !page.ok()) {
        place.token.clear();
        if (answer.kind == Kind::Missing) place.experiment_id.clear();
        if (place.failures++ == 0)
            log::warn("a watched place cannot be listed",
                      {{"backend", options_.name}, {"team", place.at.team}, {"error", answer.reason}});
        place.due = now + std::max(Duration(options_.watch.places_interval), answer.retry_after);
        return;
    }
    place.failures = 0;
    for (const RunView& run : page->runs) {
        place.newest = std::max(place.newest, run.finished);
        foreign(place, run);
    }
    place.token = page->next_token;
    if (!place.token.empty()) {
        place.due = now; // the next page, as the pace allows
        return;
    }
    // A clock ahead of ours must not make the next listing begin too late.
    place.cursor = std::max(place.cursor, std::min(place.newest, clock_.now()));
    const Instant old = place.cursor - 2 * options_.watch.overlap;
    std::erase_if(place.told, [&](const auto& one) { return one.second.finished < old; });
    place.due = now + options_.watch.places_interval;
}

void Watch::foreign(Place& place, const RunView& run) {
    const auto id = Uuid::parse(run.id);
    if (!id.ok()) return; // an id that a client chose by its own rules: weir's records have no place for it
    const RunId run_id{*id};
    if (tracked_.contains(run_id)) return observe(run_id, run, false);
    const int attempts = attempts_of(run).back().number;
    const auto told = place.told.find(run.id);
    if (told != place.told.end() && told->second.attempts >= attempts) return;
    const bool ours = !read_machine_line(run.description).decision.empty();
    // Weir's own first attempts are told by whoever launched them; a later one that nobody follows any more
    // was opened by hand.
    if (ours && attempts == 1) return;
    if (ours || run.pipeline_id.empty())
        return complete(views_.index_of(place.view), run,
                        [this, &place](const RunView& full) { tell_foreign(place, full, {}); });
    lookups_.pipeline_name(place.view, run.pipeline_id, [this, &place, run](const Found<std::string>& name) {
        if (!name.value) return; // the next listing has the run again
        complete(views_.index_of(place.view), run,
                 [this, &place, pipeline = *name.value](const RunView& full) {
                     tell_foreign(place, full, pipeline);
                 });
    });
}

void Watch::tell_foreign(Place& place, const RunView& run, const std::string& pipeline) {
    const auto attempts = attempts_of(run);
    Place::Told& told = place.told[run.id];
    const bool ours = !read_machine_line(run.description).decision.empty();
    for (const AttemptView& attempt : attempts) {
        if (!attempt.settled || attempt.number <= told.attempts) continue;
        const bool newest = attempt.number == attempts.back().number;
        RunReport report = report_of(RunId{*Uuid::parse(run.id)}, run, attempt, nullptr);
        if (!newest) {
            report.outputs_json = "{}";
            report.outputs.clear();
        }
        if (!ours) {
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
        }
        tell(std::move(report));
    }
    told.attempts = attempts.back().number;
    told.finished = run.finished;
}

} // namespace weir::flows::kubeflow
