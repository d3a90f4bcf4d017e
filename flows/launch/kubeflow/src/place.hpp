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
    Instant cursor{};  ///< newest end seen, or where it all begins
    Instant newest{};  ///< of the listing under way
    std::string token; ///< of its next page
    SteadyInstant due{};
    bool asked = false;
    int failures = 0;
    struct Told {
        int attempts = 0;
        Instant finished{};
    };
    std::map<std::string, Told> told; ///< by run id, as far back as listings go
};

} // namespace weir::flows::kubeflow
