-- Each dimension of the charge-back bears the assigned users of a position, in every currency.
select p.tenant_id, p.sku_id || ' by ' || b.dimension as of_what, cast(p.assigned_users as bigint) as one_sum, b.assigned_users as other_sum, cast(null as varchar) as people
from {{ ref('license_positions') }} as p
join (
  select tenant_id, sku_id, dimension, currency, cast(sum(assigned_users) as bigint) as assigned_users
  from {{ ref('license_chargeback') }}
  group by 1, 2, 3, 4
) as b on b.tenant_id = p.tenant_id and b.sku_id = p.sku_id
where p.assigned_users is not null
