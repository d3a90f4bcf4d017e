#pragma once

#include <weir/facade/facade.hpp>
#include <weir/server/mount.hpp>

namespace weir::app {

/// The façade as a part of the API's path. It must outlive the mount.
server::Mount facade_mount(facade::Facade& facade);

} // namespace weir::app
