-- Grain: one row per tenant whose sign-in log is measured: from which day on it is known without a gap.
with days as (
  select tenant_id, min(event_date) as first_date
  from {{ ref('stg_sign_ins') }}
  group by 1
)

select
  c.tenant_id,
  -- Where sign-ins between two runs were lost, silence says nothing.
  case when c.state = 'complete' then d.first_date end as known_from
from {{ ref('int_coverage') }} as c
left join days as d on d.tenant_id = c.tenant_id
where c.table_name = 'graph_sign_ins' and c.is_measured
