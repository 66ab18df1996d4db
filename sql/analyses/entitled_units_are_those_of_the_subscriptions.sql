-- Entitled units, managed or not, are the enabled and warning units of the stored subscribed SKUs.
with counted as (
  select tenant_id, sku_id, entitled_units from {{ ref('license_positions') }}
  union all
  select tenant_id, sku_id, entitled_units from {{ ref('excluded_licenses') }}
)

select c.tenant_id, c.sku_id as of_what, cast(c.entitled_units as bigint) as one_sum, cast(coalesce(s.units, 0) as bigint) as other_sum, cast(null as varchar) as people
from counted as c
left join (
  select k.tenant_id, k.sku_id, sum(coalesce(k.enabled_units, 0) + coalesce(k.warning_units, 0)) as units
  from {{ source('lake', 'graph_subscribed_skus') }} as k
  join {{ ref('coverage') }} as v on v.tenant_id = k.tenant_id and v.logical_date = k.snapshot_date
  where v.table_name = 'graph_subscribed_skus' and v.is_measured
  group by 1, 2
) as s on s.tenant_id = c.tenant_id and s.sku_id = c.sku_id
where c.entitled_units is not null
