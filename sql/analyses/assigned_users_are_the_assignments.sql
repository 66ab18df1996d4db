-- Assigned users of a position are the licences of its users, one by one.
select p.tenant_id, p.sku_id as of_what, cast(p.assigned_users as bigint) as one_sum, coalesce(a.licenses, 0) as other_sum, 'license_assignments' as people
from {{ ref('license_positions') }} as p
left join (
  select tenant_id, sku_id, count(*) as licenses
  from {{ ref('license_assignments') }}
  group by 1, 2
) as a on a.tenant_id = p.tenant_id and a.sku_id = p.sku_id
where p.assigned_users is not null
