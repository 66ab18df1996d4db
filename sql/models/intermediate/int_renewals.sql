-- Grain: one row per tenant, managed SKU and date of renewal: which of the SKU's units, counted in the order of their renewal, are
-- renewed that day. Terms that end say so; where none does, the commercial subscriptions do.
with terms as (
  select tenant_id, sku_id, ending_date as renewal_date, cast(sum(quantity) as bigint) as units
  from {{ ref('int_license_terms') }}
  where term_status = 'in_force' and sku_id is not null and ending_date is not null
  group by 1, 2, 3
),

subscriptions as (
  select s.tenant_id, s.sku_id, s.next_lifecycle_date as renewal_date, cast(sum(s.total_units) as bigint) as units
  from {{ ref('stg_subscriptions') }} as s
  join {{ ref('int_coverage') }} as c on c.tenant_id = s.tenant_id and c.logical_date = s.snapshot_date
  where c.table_name = 'graph_subscriptions' and c.is_measured
    and s.status = 'Enabled' and not s.is_trial and s.next_lifecycle_date >= s.snapshot_date
  group by 1, 2, 3
),

renewed as (
  select t.tenant_id, t.sku_id, t.renewal_date, t.units
  from terms as t
  union all
  select s.tenant_id, s.sku_id, s.renewal_date, s.units
  from subscriptions as s
  left join (select distinct tenant_id, sku_id from terms) as t on t.tenant_id = s.tenant_id and t.sku_id = s.sku_id
  where t.sku_id is null and s.units > 0
),

counted as (
  select
    r.*,
    cast(sum(units) over (partition by tenant_id, sku_id order by renewal_date rows between unbounded preceding and current row) as bigint) as last_unit
  from renewed as r
)

select tenant_id, sku_id, renewal_date, last_unit - units + 1 as first_unit, last_unit
from counted
