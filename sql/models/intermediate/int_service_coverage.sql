-- Grain: one row per tenant and service (eleven).
-- Where sign-ins by clients count as use, a service that is known by sign-ins is measured only if both logs were read:
-- what lies in the other one could be its use.
with sources as (
  select
    c.tenant_id,
    s.service,
    s.position,
    c.state,
    c.is_measured,
    c.observed_through,
    s.source_table = 'graph_sign_ins' and {{ var('count_non_interactive_sign_ins') }} as has_second,
    n.state as second_state,
    coalesce(n.is_measured, false) as second_is_measured,
    n.observed_through as second_observed_through
  from {{ ref('int_coverage') }} as c
  join {{ ref('services') }} as s on s.source_table = c.table_name
  left join {{ ref('int_coverage') }} as n
    on n.tenant_id = c.tenant_id and n.table_name = 'graph_non_interactive_sign_ins'
)

select
  tenant_id,
  service,
  position,
  case
    when has_second and is_measured and (not second_is_measured or state = 'complete') then coalesce(second_state, 'missing')
    else state
  end as state,
  is_measured and (second_is_measured or not has_second) as is_measured,
  case
    when not is_measured or (has_second and not second_is_measured) then null
    when has_second and second_observed_through < observed_through then second_observed_through
    else observed_through
  end as observed_through
from sources
