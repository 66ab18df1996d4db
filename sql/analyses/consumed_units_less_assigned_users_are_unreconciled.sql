-- Consumed units are assigned users and the units that nothing explains, which the position states.
select
  tenant_id,
  sku_id as of_what,
  cast(consumed_units as bigint) as one_sum,
  cast(assigned_users + unreconciled_units as bigint) as other_sum,
  cast(null as varchar) as people
from {{ ref('license_positions') }}
where consumed_units is not null and assigned_users is not null
