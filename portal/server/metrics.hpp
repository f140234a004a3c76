// What Prometheus and its kin read: the fleet as cabinets tell it, and the portal itself.
// OpenMetrics 1.0.0: https://prometheus.io/docs/specs/om/open_metrics_spec/
#pragma once

#include <string>

namespace locker::portal {

class app;

inline constexpr const char* open_metrics_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";

[[nodiscard]] std::string open_metrics(app& a);

}  // namespace locker::portal
