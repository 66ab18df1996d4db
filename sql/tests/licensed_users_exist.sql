-- Who holds a licence is a user of the same tenant's snapshot.
select a.*
from {{ ref('license_assignments') }} as a
left join {{ ref('users') }} as u on u.tenant_id = a.tenant_id and u.user_id = a.user_id
join {{ ref('int_coverage') }} as c on c.tenant_id = a.tenant_id and c.table_name = 'graph_users' and c.is_measured
where u.user_id is null
