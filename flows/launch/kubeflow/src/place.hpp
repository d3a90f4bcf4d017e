#pragma once

#include <map>
#include <string>

#include "watch.hpp"

namespace weir::flows::kubeflow {

/// A namespace or experiment whose runs are looked at though weir did not start them.
struct Watch::Place {
    WatchedPlace at;
    View view;
    std::string experiment_id;
    Instant cursor{};            ///< newest end listed, or where it all begins
    Instant from{};              ///< whatever ended before is recorded: listings begin there
    Instant newest{};            ///< of the listing under way
    std::string token;           ///< of its next page
    std::optional<Instant> done; ///< what `place_done_` was told last
    ListSize page{200};
    unsigned round = 0; ///< of listings
    SteadyInstant due{};
    bool asked = false;
    struct Told {
        int attempts = 0; ///< that were told
        std::string note; ///< of the newest one
        Instant finished{};
        bool recorded = false;
        unsigned round = 0;    ///< the newest listing that had it
        SteadyInstant again{}; ///< not recorded by then: told again
    };
    std::map<std::string, Told> told; ///< by run id, as far back as listings go
    [[nodiscard]] std::string name() const {
        return "place " + at.team + (at.experiment.empty() ? std::string() : "/" + at.experiment);
    }
};

} // namespace weir::flows::kubeflow
