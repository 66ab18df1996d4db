-- Grain: one row per tenant and service (eleven).
select
  c.tenant_id,
  s.service,
  s.position,
  c.state,
  c.is_measured,
  case when c.is_measured then c.observed_through end as observed_through
from {{ ref('int_coverage') }} as c
join {{ ref('services') }} as s on s.source_table = c.table_name
